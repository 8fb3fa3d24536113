/** What a drain means to the work: it ends, or goes back to its queue; and nothing is left of the process. */
import { describe, expect, test } from 'vitest'
import { picture } from '../pictures.ts'
import { taskOf } from '../scenarios/client.ts'
import { beginUpload } from '../scenarios/raw-request.ts'
import { sourceServer } from '../scenarios/source-server.ts'
import { until } from '../runtime/until.ts'
import { connectTo } from './connection.ts'
import { expectCleanEnd, leftIn, LONG_MS, type Serving, serve, temporaryFolder } from './serving.ts'

const PATIENT = { ALLOW_HOSTS: '127.0.0.1', CONCURRENCY: '1', DRAIN_MS: '600000' }
const SHORT = { ...PATIENT, DRAIN_MS: '100' }
const LONG = { timeout: 3 * LONG_MS }
const SECRET = `whsec_${Buffer.from('a secret of a test, 24 bytes').toString('base64')}`
const CALLBACKS = { WEBHOOK_SECRET: SECRET, PUBLIC_URL: 'https://pictures.example' }

/** A process with one render that runs until its source is released, and a message behind it. */
async function rendering(env: Record<string, string>) {
  const disposables = new AsyncDisposableStack()
  const folder = disposables.use(await temporaryFolder())
  const source = disposables.use(await sourceServer())
  const server = disposables.use(await serve(folder.path, env))
  const held = source.held('/held.jpg', await picture())
  const { id } = await taskOf(await server.api.json({ url: held.url, variants: ['90x'] }))
  await held.asked
  return {
    folder: folder.path,
    server,
    held,
    id,
    [Symbol.asyncDispose]: async () => await disposables.disposeAsync(),
  }
}

async function completedIn(server: Serving, id: string) {
  const response = await server.api.fetch(`/tasks/${id}`, { headers: { prefer: 'wait=30' } })
  return await taskOf(response)
}

describe('a render that runs', () => {
  test.each(['SIGTERM', 'Ctrl-C'])('ends well after %s, and its task is completed', LONG, async (how) => {
    await using run = await rendering(PATIENT)
    const { server, held, folder } = run
    await (how === 'Ctrl-C' ? server.interrupt() : server.drain())
    held.release()
    await expectCleanEnd(server)
    const { tasks, messages } = leftIn(folder)
    expect(tasks).toMatchObject([{ status: 'completed', attempts: 1, deliveries: 1 }])
    expect(messages).toEqual([])
  })

  test('goes back to its queue uncounted when DRAIN_MS is over, and is done by the next process', LONG, async () => {
    await using run = await rendering(SHORT)
    const { server, held, folder, id } = run
    await server.drain()
    await expectCleanEnd(server)
    expect(leftIn(folder).messages).toEqual([{ id: `${id}.created`, failures: 0, lease: null, late: false }])
    held.release()
    await using next = await serve(folder, PATIENT)
    expect(await completedIn(next, id)).toMatchObject({ status: 'completed', attempts: 1 })
  })

  test('is left by a second signal, which ends everything at once', LONG, async () => {
    await using run = await rendering(PATIENT)
    const { server } = run
    await server.drain()
    server.kill('SIGTERM')
    expect(await server.ended).toBe(1)
  })

  test('takes no other message along: what comes is left to the next process, free slot or not', LONG, async () => {
    await using run = await rendering({ ...PATIENT, CONCURRENCY: '2' })
    const { server, held, folder } = run
    const cat = await picture()
    const headers = { 'content-type': 'image/jpeg', 'content-length': String(cat.length) }
    const upload = await beginUpload(server.url, headers)
    await server.drain()
    upload.write(cat)
    upload.end()
    const { body } = await upload.answer
    held.release()
    await expectCleanEnd(server)
    const id = String(body['id'])
    expect(leftIn(folder)).toMatchObject({
      tasks: [{ status: 'completed' }, { status: 'pending', attempts: 0, deliveries: 0 }],
      messages: [{ id: `${id}.created`, failures: 0, lease: null, late: false }],
    })
    await using next = await serve(folder, PATIENT)
    expect(await completedIn(next, id)).toMatchObject({ status: 'completed', attempts: 1 })
  })
})

describe('a callback that is under way', () => {
  async function calling(env: Record<string, string>) {
    const disposables = new AsyncDisposableStack()
    const folder = disposables.use(await temporaryFolder())
    const receiver = disposables.use(await sourceServer())
    const server = disposables.use(await serve(folder.path, { ...env, ...CALLBACKS }))
    const held = receiver.held('/callback', new Uint8Array())
    await server.api.upload(await picture({ width: 60, height: 40 }), { callbackUrl: held.url, variants: '9x' })
    await held.asked
    return {
      folder: folder.path,
      server,
      held,
      [Symbol.asyncDispose]: async () => await disposables.disposeAsync(),
    }
  }

  test('ends well', LONG, async () => {
    await using run = await calling(PATIENT)
    await run.server.drain()
    run.held.release()
    await expectCleanEnd(run.server)
    const { tasks, messages } = leftIn(run.folder)
    expect(tasks).toMatchObject([{ callback: { status: 'delivered', attempts: 1 } }])
    expect(messages).toEqual([])
  })

  test('that outlasts DRAIN_MS is made again by the next process', LONG, async () => {
    await using run = await calling(SHORT)
    await run.server.drain()
    await expectCleanEnd(run.server)
    const { tasks, messages } = leftIn(run.folder)
    expect(messages).toMatchObject([{ failures: 0, lease: null, late: false }])
    run.held.release()
    await using next = await serve(run.folder, { ...PATIENT, ...CALLBACKS })
    await until(
      'the callback is delivered',
      async () => (await next.api.get(tasks[0]!.id)).callback?.status === 'delivered',
      LONG_MS,
    )
  })
})

test('a client that stops in the middle of its upload holds up a drain for DRAIN_MS and no longer', LONG, async () => {
  await using folder = await temporaryFolder()
  await using server = await serve(folder.path, SHORT)
  const stuck = await connectTo(server.url)
  stuck.write('POST /tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n')
  stuck.write('x'.repeat(1_000))
  await server.drain()
  await stuck.closed
  await expectCleanEnd(server)
  expect(leftIn(folder.path)).toEqual({ tasks: [], messages: [] })
})
