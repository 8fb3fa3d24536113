import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { InputFormat } from '#shared/variant.ts'
import { testBindings, testSettings } from '../../test/bindings.ts'
import { picture, truncated } from '../../test/pictures.ts'
import { createTask, deliver, measuringInvocation, type NewTask } from './deliveries.fixture.ts'
import { spec } from './rendering.fixture.ts'

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
const avif = async (width: number, height: number): Promise<Buffer> => {
  const background = { r: 9, g: 9, b: 9 }
  return await sharp({ create: { width, height, channels: 3, background } })
    .avif({ effort: 0, quality: 1 })
    .toBuffer()
}

const CASES: Array<
  [code: string, what: string, bytes: () => Promise<Uint8Array>, format: InputFormat, task?: NewTask]
> = [
  ['image-corrupt', 'a truncated photo', async () => truncated(await picture()), 'jpeg'],
  ['image-corrupt', 'a header alone', async () => truncated(await picture(), 0.001), 'jpeg'],
  ['unsupported-image', 'SVG', async () => Buffer.from(svg), 'png'],
  ['unsupported-image', 'text', async () => Buffer.from('hello'), 'jpeg'],
  ['unsupported-image', 'TIFF', async () => await picture({ width: 40, height: 40, format: 'tiff' }), 'jpeg'],
  ['image-too-many-pixels', 'AVIF of 16,004,000 pixels', async () => await avif(4001, 4000), 'avif'],
  [
    'output-too-costly',
    'too many pixels of AVIF',
    async () => await picture({ width: 400, height: 100 }),
    'jpeg',
    { options: { variants: [spec(400, 400, { format: 'avif' }), spec(300, null)] } },
  ],
]

describe('a picture is refused, and its message acked', () => {
  test.each(CASES)('%s: %s', async (code, _what, bytes, format, task) => {
    const { measured, invocation } = measuringInvocation()
    // 400 × 100 × 8 for AVIF and 300 × 75 for JPEG are 342,500.
    await using env = await testBindings({ invocation, settings: testSettings({ outputCostMax: 342_499 }) })
    const { id } = await createTask(env, { bytes: await bytes(), format, ...task })
    expect(await deliver(env, { subject: id })).toMatchObject({ status: 200, body: { outcome: 'failed' } })
    const { error, variants, nextCheckAt } = (await env.tasks.get(id))!
    expect(error?.code).toBe(code)
    expect(error?.message).toMatch(/^The .+\.$/)
    expect(error?.message).not.toContain(env.folder)
    expect({ variants, nextCheckAt }).toEqual({ variants: [], nextCheckAt: null })
    expect(measured.at(-1)).toEqual(['tasks_total', 1, { outcome: 'failed', code }])
  })
})

test('exactly at the limits it is not', async () => {
  await using env = await testBindings({ settings: testSettings({ outputCostMax: 342_500, inputPixelsMax: 40_000 }) })
  const variants = [spec(400, 400, { format: 'avif' }), spec(300, null)]
  const { id } = await createTask(env, { bytes: await picture({ width: 400, height: 100 }), options: { variants } })
  expect((await deliver(env, { subject: id })).body.outcome).toBe('completed')
  const over = await createTask(env, { bytes: await picture({ width: 401, height: 100 }) })
  await deliver(env, { subject: over.id })
  expect((await env.tasks.get(over.id))!.error).toEqual({
    code: 'image-too-many-pixels',
    message: 'The image has 401 × 100 pixels, 40,100 together; JPEG is accepted up to 40,000.',
  })
})

describe('a message is refused for good', () => {
  test.each([
    [{ type: 'task.unheard', subject: '0199d7a2-7c00-7000-8000-5d3a1c2b4e6f' }],
    [{ subject: '../../etc/passwd' }],
  ])('400: %o', async (event) => {
    await using env = await testBindings()
    expect(await deliver(env, event)).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
  })
})
