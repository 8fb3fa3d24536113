import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { INPUT_FORMATS } from '#shared/variant.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import app from './index.ts'
import { FORM, formBytes, imagePart, post, postForm, problemOf, slices, streamOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const sha256 = createHash('sha256').update(jpeg).digest('hex')

async function files(env: TestBindings): Promise<string[]> {
  return await readdir(join(env.folder, 'input'), { recursive: true }).catch(() => [])
}

describe('an upload', () => {
  test('as a form makes a task, its original and its message', async () => {
    await using env = await testBindings()
    const response = await postForm(env, [imagePart(jpeg, 'cat.jpg'), { name: 'variants', value: '100x,x50' }])
    expect(response.status).toBe(202)
    const task = await taskOf(response)
    expect(response.headers.get('location')).toBe(`/tasks/${task.id}`)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('preference-applied')).toBeNull()
    expect(response.headers.get('idempotent-replayed')).toBeNull()
    expect(task).toMatchObject({
      status: 'pending',
      source: {
        kind: 'upload',
        filename: 'cat.jpg',
        mediaType: 'image/jpeg',
        bytes: jpeg.length,
        width: 300,
        height: 200,
        sha256,
      },
      options: { variants: ['100x', 'x50'], format: 'jpeg', background: '#ffffff', original: 'keep', access: 'public' },
      callback: null,
      retryOf: null,
    })
    expect(await readdir(join(env.folder, 'input', task.id))).toEqual(['original.jpg'])
    expect(env.queue.sent).toMatchObject([{ id: `${task.id}.created`, type: 'task.created', subject: task.id }])
    expect(env.queue.sent[0]?.traceparent).toBe(env.invocation.traceparent)
    const stored = await env.tasks.get(task.id)
    expect(stored).toMatchObject({ fingerprint: null, deliveries: 0, traceparent: env.invocation.traceparent })
    expect(stored?.nextCheckAt).toBeGreaterThan(Date.now())
  })

  test.each(['image/jpeg', 'image/png', 'image/anything', 'application/octet-stream', 'IMAGE/JPEG; charset=binary'])(
    'as raw bytes of Content-Type %s: the bytes decide',
    async (type) => {
      await using env = await testBindings()
      const response = await post(env, {
        body: streamOf(slices(jpeg, 1_000)),
        type,
        query: '?variants=10x10:cover&quality=33&variants=5x',
      })
      expect(response.status).toBe(202)
      const task = await taskOf(response)
      expect(task.source).toMatchObject({ sha256, filename: null, mediaType: 'image/jpeg' })
      expect(task.options.variants).toMatchObject([
        { name: '10x10-cover', quality: 33 },
        { name: '5x', quality: 33 },
      ])
    },
  )

  test.each(INPUT_FORMATS)('of a %s is kept under its own extension, whatever its name', async (format) => {
    await using env = await testBindings()
    const response = await postForm(env, [imagePart(await picture({ width: 40, height: 30, format }), 'x.exe')])
    const task = await taskOf(response)
    expect(task.source).toMatchObject({ mediaType: `image/${format}`, width: 40, height: 30 })
    expect(await files(env)).toContain(`${task.id}/original.${format === 'jpeg' ? 'jpg' : format}`)
  })

  test('in single bytes, fields before and after the file', async () => {
    await using env = await testBindings()
    const small = await picture({ width: 16, height: 16, orientation: 6 })
    const parts = [
      { name: 'format', value: 'webp' },
      imagePart(small),
      { name: 'metadata', value: '{"a":"b"}' },
      { name: 'original', value: 'discard' },
    ]
    const response = await post(env, { body: streamOf(slices(formBytes(parts), 1)), type: FORM })
    expect(await taskOf(response)).toMatchObject({
      options: { format: 'webp', original: 'discard' },
      metadata: { a: 'b' },
    })
  })

  test('is streamed: the body is not read before the function reads it', async () => {
    for (const type of [FORM, 'image/jpeg', 'application/octet-stream']) {
      await using env = await testBindings()
      const used: boolean[] = []
      const body = type === FORM ? formBytes([imagePart(jpeg)]) : jpeg
      const request = new Request('http://localhost/tasks', { method: 'POST', headers: { 'Content-Type': type }, body })
      // The first of the bindings that the function asks for.
      const settings = new Proxy(env.settings, {
        get: (target, property, receiver) => {
          if (property === 'inputBytesMax') used.push(request.bodyUsed)
          return Reflect.get(target, property, receiver) as unknown
        },
      })
      const response = await app.fetch(request, { ...env, settings })
      expect(response.status).toBe(202)
      expect(used[0]).toBe(false)
    }
  })

  test('options of a form may also stand in the query, but not in both', async () => {
    await using env = await testBindings()
    const form = { body: formBytes([imagePart(jpeg), { name: 'format', value: 'webp' }]), type: FORM }
    expect((await taskOf(await post(env, { ...form, query: '?quality=9' }))).options.format).toBe('webp')
    const refused = await post(env, { ...form, query: '?format=webp' })
    expect(await problemOf(refused)).toMatchObject({ status: 400, errors: [{ pointer: 'format' }] })
  })

  test('Location is absolute where the links are, and never signed', async () => {
    await using env = await testBindings()
    const { links } = env
    env.links = {
      ...links,
      of: async (task) => ({
        ...(await links.of(task)),
        self: `https://pics.example.com/tasks/${task.id}?signature=secret`,
      }),
    }
    const response = await postForm(env, [imagePart(jpeg)])
    expect(response.headers.get('location')).toBe(`https://pics.example.com/tasks/${(await taskOf(response)).id}`)
  })

  test('a file name is shown without folders and control characters', async () => {
    await using env = await testBindings()
    const named = async (filename: string) =>
      (await taskOf(await postForm(env, [imagePart(jpeg, filename)]))).source.filename
    expect(await named('../../etc/passwd')).toBe('passwd')
    expect(await named('C:\\\\pics\\\\cat.jpg')).toBe('cat.jpg')
    expect(await named('Käse 🧀.jpg')).toBe('Käse 🧀.jpg')
    expect(await named('a\u0007b\u001b[31m.jpg')).toBe('ab[31m.jpg')
    expect(await named('a'.repeat(300))).toHaveLength(255)
    expect(await named('')).toBeNull()
  })
})
