import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import { givenUp } from '#shared/given-up.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, testInvocation } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { createTask, deliver, measuringInvocation, withInvocation } from './deliveries.fixture.ts'
import { spec } from './rendering.fixture.ts'

const jpeg = await picture({ width: 600, height: 400 })
const wanted = (subject: string, variant: string, format: string) => ({
  type: 'variant.wanted',
  subject,
  data: { variant, format },
})

async function finished(env: Bindings): Promise<string> {
  const variants = [spec(300, 300), spec(100, 100, { format: 'png' })]
  const { id } = await createTask(env, { bytes: jpeg, options: { variants } })
  await deliver(env, { subject: id })
  return id
}

describe('another encoding', () => {
  test.each(['webp', 'avif'] as const)('in %s is stored and recorded; status and time stay', async (format) => {
    const { measured, invocation } = measuringInvocation()
    await using env = await testBindings({ invocation })
    const id = await finished(env)
    const before = (await env.tasks.get(id))!
    const answer = await deliver(env, wanted(id, '300x300', format))
    expect(answer).toMatchObject({ status: 200, body: { outcome: 'derived' } })
    const task = (await env.tasks.get(id))!
    const file = task.variants[0]!.derived[format]!
    expect(file).toMatchObject({
      key: `output/${id}/300x300.${format}`,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(task).toEqual({
      ...before,
      variants: [{ ...before.variants[0], derived: { [format]: file } }, before.variants[1]],
    })
    const path = (await env.blobs.asFile(file.key))!.path
    expect(await sharp(path).metadata()).toMatchObject({ width: 300, height: 200 })
    expect(measured.at(-1)).toEqual(['derived_total', 1, { format }])
  })

  test('is made once: a duplicate is a no-op', async () => {
    await using env = await testBindings()
    const id = await finished(env)
    await deliver(env, wanted(id, '300x300', 'webp'))
    const before = await env.tasks.get(id)
    expect((await deliver(env, wanted(id, '300x300', 'webp'))).body.outcome).toBe('pointless')
    expect(await env.tasks.get(id)).toEqual(before)
  })

  test('is not made of what is no JPEG, not there or not finished', async () => {
    await using env = await testBindings()
    const id = await finished(env)
    const pending = await createTask(env, { bytes: jpeg })
    for (const event of [
      wanted(id, '100x100', 'webp'),
      wanted(id, '999x999', 'webp'),
      wanted(pending.id, '400x400', 'webp'),
      wanted(newTaskId(), '300x300', 'webp'),
    ]) {
      expect(await deliver(env, event)).toMatchObject({ status: 200, body: { outcome: 'pointless' } })
    }
  })

  test('is given up where the stored variant is lost or damaged, and its readers are told', async () => {
    const errors: string[] = []
    const log = { ...testInvocation().log, error: (message: string) => void errors.push(message) }
    await using env = await testBindings({ invocation: testInvocation({ log }) })
    for (const [harm, status, code] of [
      ['lost', 404, 'not-found'],
      ['damaged', 409, 'processing-failed'],
    ] as const) {
      const id = await finished(env)
      const path = join(env.folder, 'output', id, '300x300.jpg')
      await rm(path)
      if (harm === 'damaged') await writeFile(path, jpeg.subarray(0, 2_000))
      const before = await env.tasks.get(id)
      const answer = await deliver(env, wanted(id, '300x300', 'webp'))
      expect(answer).toMatchObject({ status: 200, body: { outcome: 'given up' } })
      expect(await givenUp(env.cache, { taskId: id, variant: '300x300', format: 'webp' })).toMatchObject({
        status,
        code,
      })
      expect(await givenUp(env.cache, { taskId: id, variant: '300x300', format: 'avif' })).toBeNull()
      expect(await env.tasks.get(id)).toEqual(before)
      expect(errors.splice(0)).toContain('encoding given up')
    }
  })

  test('is given up by the delivery after the last attempt, without another try', async () => {
    await using env = await testBindings()
    const id = await finished(env)
    const encoding = { taskId: id, variant: '300x300', format: 'avif' } as const
    const { maxAttempts } = env.settings
    const blobs = { ...env.blobs, put: async () => await Promise.reject(unavailable('blob store')) }
    const attempt = async (number: number) =>
      await deliver(withInvocation({ ...env, blobs }, { attempt: number }), wanted(id, '300x300', 'avif'))
    expect((await attempt(maxAttempts)).status).toBe(503)
    expect(await givenUp(env.cache, encoding)).toBeNull()
    expect(await attempt(maxAttempts + 1)).toMatchObject({ status: 200, body: { outcome: 'given up' } })
    expect(await givenUp(env.cache, encoding)).toMatchObject({ status: 409, code: 'processing-failed' })
  })

  test('of a task that is deleted meanwhile leaves no file behind', async () => {
    await using env = await testBindings()
    const id = await finished(env)
    const put: Bindings['blobs']['put'] = async (...args) => {
      await env.tasks.delete(id)
      await env.blobs.deleteTask(id)
      return await env.blobs.put(...args)
    }
    const deleting = { ...env, blobs: { ...env.blobs, put } }
    expect((await deliver(deleting, wanted(id, '300x300', 'webp'))).status).toBe(200)
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test('is tried again where the store is away', async () => {
    await using env = await testBindings()
    const id = await finished(env)
    const put = async (): Promise<never> => {
      throw unavailable('blob store')
    }
    expect((await deliver({ ...env, blobs: { ...env.blobs, put } }, wanted(id, '300x300', 'webp'))).status).toBe(503)
  })

  test.each([[{ variant: '../x', format: 'webp' }], [{ variant: '300x300', format: 'gif' }], [null]])(
    'that cannot be meant is dead at once: %o',
    async (data) => {
      await using env = await testBindings()
      const event = { type: 'variant.wanted', subject: await finished(env), data }
      expect(await deliver(env, event)).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
    },
  )
})
