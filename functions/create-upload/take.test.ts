import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { KIB } from '#shared/limits.ts'
import type { BlobStore } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { uploadKey } from '#shared/variant.ts'
import { testBindings, testInvocation, testSettings } from '../../test/bindings.ts'
import { testTask } from '../../test/tasks.ts'
import { taskCreated } from '#shared/message.ts'
import { answerOf, asked, filesOf, send } from './uploads.fixture.ts'

const file = new Uint8Array(randomBytes(100 * KIB))
const { length: bytes } = file

function* slices(of: Uint8Array, size = 1_000): Generator<Uint8Array> {
  for (let at = 0; at < of.length; at += size) yield of.subarray(at, at + size)
}

describe('PUT /uploads/{taskId}', () => {
  test.each(['with its length', 'in chunks, without a length'])('takes the file %s', async (how) => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const response = await send(env, id, how === 'with its length' ? file : slices(file))
    expect([response.status, await response.text()]).toEqual([201, ''])
    const stored = await env.blobs.get(uploadKey(id))
    expect(Buffer.from(await new Response(stored!.body).arrayBuffer()).equals(file)).toBe(true)
    expect(await env.tasks.get(id)).toBeNull()
  })

  test('takes one file: a second is refused before it is read, and the first stays', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    expect((await send(env, id, file)).status).toBe(201)
    let read = 0
    const other = (function* () {
      for (const slice of slices(new Uint8Array(bytes))) {
        read++
        yield slice
      }
    })()
    expect(await answerOf(await send(env, id, other))).toBe('409 upload-taken')
    expect(read).toBeLessThanOrEqual(1)
    const stored = await env.blobs.get(uploadKey(id))
    expect(Buffer.from(await new Response(stored!.body).arrayBuffer()).equals(file)).toBe(true)
  })

  test.each<[string, Record<string, string>, string, string]>([
    ['If-Match', { 'If-Match': '"x"' }, '412 precondition-failed', '409 upload-taken'],
    ['If-Match: *', { 'If-Match': '*' }, '412 precondition-failed', '409 upload-taken'],
    ['If-None-Match: *', { 'If-None-Match': ' * ' }, 'taken', '412 precondition-failed'],
    ['If-None-Match', { 'If-None-Match': '"x"' }, 'taken', '409 upload-taken'],
  ])('is asked for with a condition: %s', async (_name, headers, absent, present) => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const answer = async (): Promise<string> => {
      const response = await send(env, id, slices(file), headers)
      return response.ok ? 'taken' : await answerOf(response)
    }
    expect(await answer()).toBe(absent)
    expect(await filesOf(env, id)).toEqual(absent === 'taken' ? ['upload.bin', 'upload.json'] : ['upload.json'])
    await send(env, id, file)
    expect(await answer()).toBe(present)
    await env.tasks.create(testTask({ id }), taskCreated(id))
    expect(await answer()).toBe(present)
    // What is wrong in any case is said first.
    expect(await answerOf(await send(env, newTaskId(), file, headers))).toBe('404 not-found')
  })

  test('of two at once one is taken, the other is told so', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const [one, two] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)]
    const answers = await Promise.all([send(env, id, slices(one)), send(env, id, slices(two))])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]))
    const stored = Buffer.from(await new Response((await env.blobs.get(uploadKey(id)))!.body).arrayBuffer())
    expect(stored.equals(answers[0].status === 201 ? one : two)).toBe(true)
    expect(await filesOf(env, id)).toEqual(['upload.bin', 'upload.json'])
  })

  test.each([
    ['more bytes by its length', 1, true, '413 too-large'],
    ['more bytes as they are counted', 1, false, '413 too-large'],
    ['fewer bytes by its length', -1, true, '400 invalid-request'],
    ['fewer bytes as they are counted', -1, false, '400 invalid-request'],
  ])('refuses %s, stores nothing, and may be sent again', async (_name, more, withLength, answer) => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const wrong = new Uint8Array(bytes + more)
    expect(await answerOf(await send(env, id, withLength ? wrong : slices(wrong)))).toBe(answer)
    expect(await filesOf(env, id)).toEqual(['upload.json'])
    expect((await send(env, id, file)).status).toBe(201)
  })

  test.each([
    ['says so', { 'Content-Length': String(bytes + 1) }],
    ['does not', {}],
  ])('reads no more than it must of what is too long: one that %s', async (_how, headers) => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    let read = 0
    const endless = (function* () {
      for (; read < 100; read++) yield file
    })()
    expect(await answerOf(await send(env, id, endless, headers))).toBe('413 too-large')
    expect(read).toBeLessThanOrEqual('Content-Length' in headers ? 0 : 2)
  })

  test('says what was wrong, whatever the store makes of it', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const put: BlobStore['put'] = async (...args) =>
      await env.blobs.put(...args).catch((cause: unknown) => Promise.reject(new Error('broken', { cause })))
    const blobs = { ...env.blobs, put }
    expect(await answerOf(await send({ ...env, blobs }, id, slices(file.subarray(1))))).toBe('400 invalid-request')
  })

  test('refuses a body that is compressed, and none', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const compressed = await send(env, id, file, { 'Content-Encoding': 'gzip' })
    expect(compressed.headers.get('accept-encoding')).toBe('identity')
    expect(await answerOf(compressed)).toBe('415 unsupported-media-type')
    expect(await answerOf(await send(env, id, null))).toBe('400 invalid-request')
    expect(await filesOf(env, id)).toEqual(['upload.json'])
  })

  test('a sender that goes away leaves nothing of the file', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const gone = new AbortController()
    const invocation = testInvocation({ signal: gone.signal })
    const half = async function* () {
      yield file.subarray(0, bytes / 2)
      gone.abort(new Error('gone'))
      yield* slices(file.subarray(bytes / 2))
    }
    expect(await answerOf(await send({ ...env, invocation }, id, half()))).toBe('408 request-timeout')
    expect(await filesOf(env, id)).toEqual(['upload.json'])
  })

  test.each(['nonsense', '..%2f..', newTaskId()])('knows no upload %s', async (id) => {
    await using env = await testBindings()
    expect(await answerOf(await send(env, id, file))).toBe('404 not-found')
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test('is over when its time is, also for who has a key', async () => {
    // The collector's grace bounds it: this upload was over when it began.
    await using env = await testBindings({ settings: testSettings({ gcGraceMs: 2 }) })
    const { id } = await asked(env, { bytes })
    expect(await answerOf(await send(env, id, file))).toBe('403 link-invalid')
    expect(await filesOf(env, id)).toEqual(['upload.json'])
  })

  test('is not for whoever has neither key nor link', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const invocation = testInvocation({ caller: { kind: 'anonymous' } })
    const response = await send({ ...env, invocation }, id, file)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(await answerOf(response)).toBe('401 unauthorized')
    expect((await send({ ...env, invocation: linkOf() }, id, file)).status).toBe(201)
  })

  test('takes none for what is a task, also when it became one meanwhile', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes })
    const becoming = async function* () {
      yield* slices(file)
      await env.tasks.create(testTask({ id }), taskCreated(id))
    }
    expect(await answerOf(await send(env, id, becoming()))).toBe('409 upload-taken')
    expect(await filesOf(env, id)).toEqual(['upload.json'])
    expect(await answerOf(await send(env, id, file))).toBe('409 upload-taken')
  })
})

function linkOf() {
  return testInvocation({ caller: { kind: 'link', expiresAt: Date.now() + 60_000 } })
}
