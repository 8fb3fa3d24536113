import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { followTask } from './follow.ts'

const pause = vi.hoisted(() => ({ begins: () => {} }))
vi.mock('node:timers/promises', async (load) => {
  const real = await load<typeof import('node:timers/promises')>()
  const setTimeout = async (...args: Parameters<typeof real.setTimeout>): Promise<unknown> => {
    const over = real.setTimeout(...args)
    pause.begins()
    return await over
  }
  return { ...real, setTimeout }
})
afterEach(() => void (pause.begins = () => {}))

type Answer = (response: ServerResponse) => void

function event(id: string, status: string, more: object = {}): string {
  return `event: task\nid: ${id}\ndata: ${JSON.stringify({ status, ...more })}\n\n`
}

/** Answers each request in turn, the last answer again and again. */
async function site(answers: Answer[]) {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers)
    response.setHeader('content-type', 'text/event-stream')
    answers[Math.min(seen.length, answers.length) - 1]!(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}/tasks/1`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

function follower(signal: AbortSignal = new AbortController().signal) {
  const told: string[] = []
  const onTask = ({ status }: { status: string }): void => void told.push(status)
  return { told, options: { headers: { 'x-api-key': 'k' }, signal, onTask, againMs: 0 } }
}

const finished: Answer = (response) => response.end(event('3', 'completed', { progress: 1 }))

test('tells each state, and gives the one that ends it', async () => {
  await using server = await site([
    (response) => response.end(`retry: 1\n\n${event('1', 'pending')}: still here\n\n${event('2', 'failed')}`),
  ])
  const { told, options } = follower()
  expect(await followTask(server.url, options)).toEqual({ status: 'failed' })
  expect(told).toEqual(['pending', 'failed'])
  expect(server.seen).toMatchObject([{ accept: 'text/event-stream', 'x-api-key': 'k' }])
})

test.each<[string, Answer]>([
  ['ends', (response) => response.end(event('1', 'pending') + event('2', 'processing'))],
  [
    'breaks in the middle of an event',
    (response) => {
      const [half] = event('3', 'completed').split('"')
      response.write(event('1', 'pending') + event('2', 'processing') + half, () => response.socket!.destroy())
    },
  ],
])('a stream that %s before the task does is followed again from where it was', async (_how, answer) => {
  await using server = await site([answer, finished])
  const { told, options } = follower()
  expect(await followTask(server.url, options)).toMatchObject({ status: 'completed' })
  expect(told).toEqual(['pending', 'processing', 'completed'])
  expect(server.seen.map((headers) => headers['last-event-id'])).toEqual([undefined, '2'])
})

test('a server that has no place for a stream is asked again', async () => {
  const busy: Answer = (response) => response.writeHead(503).end('{}')
  await using server = await site([busy, busy, finished])
  expect(await followTask(server.url, follower().options)).toMatchObject({ status: 'completed' })
  expect(server.seen).toHaveLength(3)
})

test('streams that tell nothing new are given up after five', async () => {
  await using server = await site([(response) => response.end(event('1', 'pending')), (response) => response.end()])
  await expect(followTask(server.url, follower().options)).rejects.toThrow(/cannot be followed: its event stream ends/)
  expect(server.seen).toHaveLength(6)
  await using away = await site([(response) => response.writeHead(404).end('nothing')])
  await expect(followTask(away.url, follower().options)).rejects.toThrow(/cannot be followed: 404 nothing/)
})

test('a task that is deleted meanwhile ends it', async () => {
  await using server = await site([(response) => response.end(`${event('1', 'pending')}event: deleted\ndata: {}\n\n`)])
  await expect(followTask(server.url, follower().options)).rejects.toThrow('The task was deleted.')
  expect(server.seen).toHaveLength(1)
})

test('is null when nobody waits any longer: while a stream is silent, and between two', async () => {
  await using silent = await site([(response) => response.write(event('1', 'pending'))])
  const gone = new AbortController()
  expect(await followTask(silent.url, { ...follower(gone.signal).options, onTask: () => gone.abort() })).toBeNull()

  await using ended = await site([(response) => response.end(event('1', 'pending'))])
  const later = new AbortController()
  pause.begins = () => later.abort()
  expect(await followTask(ended.url, { ...follower(later.signal).options, againMs: 60_000 })).toBeNull()
  expect(ended.seen).toHaveLength(1)
})

test('an event may come in pieces', async () => {
  const bytes = Buffer.from(event('2', 'completed', { metadata: { album: 'été' } }))
  const half = bytes.indexOf('é') + 1
  let sendRest = (): void => {}
  await using server = await site([
    (response) => {
      sendRest = () => response.end(bytes.subarray(half))
      response.write(Buffer.concat([Buffer.from(event('1', 'pending')), bytes.subarray(0, half)]))
    },
  ])
  // Told of the first event, the follower has the first half of the second.
  const onTask = ({ status }: { status: string }): void => void (status === 'pending' && sendRest())
  const task = await followTask(server.url, { ...follower().options, onTask })
  expect(task).toMatchObject({ metadata: { album: 'été' } })
  expect(server.seen).toHaveLength(1)
})
