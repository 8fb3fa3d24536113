/** What a drain means to clients: real processes, real signals. */
import { describe, expect, test } from 'vitest'
import { MIB } from '#shared/limits.ts'
import { picture } from '../pictures.ts'
import { taskOf } from '../scenarios/client.ts'
import { eventsOf } from '../scenarios/event-stream.ts'
import { beginUpload } from '../scenarios/raw-request.ts'
import { sourceServer } from '../scenarios/source-server.ts'
import { until } from '../runtime/until.ts'
import { connectTo } from './connection.ts'
import { expectCleanEnd, leftIn, LONG_MS, serve, temporaryFolder } from './serving.ts'

/** No drain of these is to be ended by its time. */
const PATIENT = { ALLOW_HOSTS: '127.0.0.1', CONCURRENCY: '1', DRAIN_MS: '600000' }
const LONG = { timeout: 3 * LONG_MS }

async function refused(url: string): Promise<boolean> {
  return await connectTo(url).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
  )
}

describe('an upload that a drain meets', () => {
  test.each([
    ['that is begun', false],
    ['that waits for its task', true],
  ])('%s ends with its answer, while nobody new is let in', LONG, async (_what, waits) => {
    await using folder = await temporaryFolder()
    const cat = await picture()
    await using first = await serve(folder.path, PATIENT)
    const headers = { 'content-type': 'image/jpeg', 'content-length': String(cat.length), connection: 'keep-alive' }
    const upload = await beginUpload(first.url, { ...headers, ...(waits ? { prefer: 'wait=30' } : {}) })
    upload.write(cat.subarray(0, 5_000))
    await first.drain()
    await until('new connections are refused', async () => await refused(first.url), LONG_MS)
    upload.write(cat.subarray(5_000, 9_000))
    upload.write(cat.subarray(9_000))
    upload.end()
    const answer = await upload.answer
    expect(answer.status).toBe(202)
    expect(answer.body['status']).toBe('pending')
    expect(answer.headers.connection).toBe('close')
    await expectCleanEnd(first)
    // Nobody here would have worked on it any more; the next process does.
    await using second = await serve(folder.path, PATIENT)
    const task = await taskOf(
      await second.api.fetch(`/tasks/${String(answer.body['id'])}`, { headers: { prefer: 'wait=30' } }),
    )
    expect(task).toMatchObject({ status: 'completed', attempts: 1 })
  })
})

describe('connections while a render runs on', () => {
  test('/readyz says so, the idle close at once, and each answer is the last of its connection', LONG, async () => {
    await using folder = await temporaryFolder()
    await using source = await sourceServer()
    await using server = await serve(folder.path, PATIENT)
    const held = source.held('/held.jpg', await picture())
    await server.api.json({ url: held.url })
    await held.asked
    const get = 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n'
    const [idle, kept, silent] = [await connectTo(server.url), await connectTo(server.url), await connectTo(server.url)]
    for (const connection of [idle, kept]) {
      connection.write(`${get}\r\n`)
      await connection.says(/200 OK[^]*"ready"/)
    }
    kept.write(get)
    await server.drain()
    await Promise.all([idle.closed, silent.closed])
    kept.write('\r\n')
    expect(await kept.closed).toMatch(/HTTP\/1\.1 503 [^]*Connection: close\r\n[^]*"status":"draining"/i)
    held.release()
    await expectCleanEnd(server)
  })
})

describe('those who wait', () => {
  test('a slow reader of a large answer gets all of it', LONG, async () => {
    await using folder = await temporaryFolder()
    await using server = await serve(folder.path, PATIENT)
    // More than the sockets hold: what is behind the picture's end is kept as it came.
    const bytes = Buffer.concat([await picture(), Buffer.alloc(20 * MIB, 'x')])
    const { links } = await taskOf(await server.api.upload(bytes, { variants: '9x' }, { prefer: 'wait=30' }))
    const response = await server.api.fetch(links.original!)
    await server.drain()
    await until('new connections are refused', async () => await refused(server.url), LONG_MS)
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    await expectCleanEnd(server)
  })

  test('an open event stream ends, its task under way or not', LONG, async () => {
    await using folder = await temporaryFolder()
    await using source = await sourceServer()
    await using server = await serve(folder.path, PATIENT)
    const held = source.held('/held.jpg', await picture())
    const { links } = await taskOf(await server.api.json({ url: held.url }))
    await held.asked
    const events = eventsOf(await server.api.fetch(links.events, { headers: { accept: 'text/event-stream' } }))
    expect((await events.next()).value).toMatchObject({ event: 'task', data: { status: 'processing' } })
    await server.drain()
    while (!(await events.next()).done);
    // The render it told of is not over: it was ended by the drain.
    expect(server.log().some(({ msg, function: name }) => msg === 'invocation' && name === 'process-image')).toBe(false)
    held.release()
    await expectCleanEnd(server)
  })

  test('are answered when the render ends, and at once where nothing will end any more', LONG, async () => {
    await using folder = await temporaryFolder()
    await using source = await sourceServer()
    await using server = await serve(folder.path, PATIENT)
    const held = source.held('/held.jpg', await picture())
    const posted = server.api.json({ url: held.url }, { prefer: 'wait=30' })
    await held.asked
    const behind = await taskOf(await server.api.json({ url: held.url }))
    const waiting = server.api.fetch(behind.links.self, { headers: { prefer: 'wait=30' } })
    const variant = server.api.fetch(`${behind.links.self}/variants/800x800?wait=30`)
    await until('three wait', async () => {
      const metrics = await (await server.api.fetch('/metrics')).text()
      return /^task_waiters 3$/m.test(metrics)
    })
    await server.drain()
    held.release()
    expect(await taskOf(await posted)).toMatchObject({ status: 'completed' })
    expect(await taskOf(await waiting)).toMatchObject({ status: 'pending' })
    expect((await variant).status).toBe(409)
    await expectCleanEnd(server)
    expect(leftIn(folder.path).messages).toMatchObject([{ lease: null, failures: 0, late: false }])
  })

  test('are answered before a drain whose time is over', LONG, async () => {
    await using folder = await temporaryFolder()
    await using source = await sourceServer()
    await using server = await serve(folder.path, { ...PATIENT, DRAIN_MS: '4000' })
    const held = source.held('/held.jpg', await picture())
    const posted = server.api.json({ url: held.url }, { prefer: 'wait=30' })
    await held.asked
    await server.drain()
    const response = await posted
    expect(response.status).toBe(202)
    expect(await taskOf(response)).toMatchObject({ status: 'processing' })
    await expectCleanEnd(server)
  })
})
