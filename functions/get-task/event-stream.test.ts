import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { HEARTBEAT_MS } from '#shared/limits.ts'
import type { Task } from '#shared/task.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, fail, pendingTask } from '../../test/tasks.ts'
import { eventId, taskEvents } from './event-stream.ts'
import { reading, rest, type StreamEvent } from './events.fixture.ts'
import app from './index.ts'

const stream = async (env: TestBindings, id: string, headers: Record<string, string> = {}, method = 'GET') =>
  await app.request(`/tasks/${id}`, { method, headers: { Accept: 'text/event-stream', ...headers } }, env)

/** Counts the iterations of `changes` that are open. */
function counted(env: TestBindings) {
  const open = { now: 0, ever: 0 }
  async function* changes(id: string, signal: AbortSignal): AsyncGenerator<Task | null> {
    open.now++
    open.ever++
    try {
      yield* env.tasks.changes(id, signal)
    } finally {
      open.now--
    }
  }
  return { open, env: { ...env, tasks: { ...env.tasks, changes } } }
}

test('streams each state until the task has ended, then ends', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  const response = await stream(env, task.id)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  expect(response.headers.get('vary')).toBe('Accept')
  const { event, block } = reading(response)
  expect(await block()).toBe('retry: 2000\n\n')
  const first = await event()
  expect(first).toMatchObject({ event: 'task', id: eventId(task) })
  expect(JSON.parse(first!.data!)).toMatchObject({
    id: task.id,
    status: 'pending',
    links: { self: `/tasks/${task.id}` },
  })
  await env.tasks.claim(task.id, { attempt: 1, nextCheckAt: Date.now() })
  expect(JSON.parse((await event())!.data!)).toMatchObject({ status: 'processing', progress: 0 })
  await env.tasks.advance(task.id, 1, { progress: 0.5 })
  expect(JSON.parse((await event())!.data!)).toMatchObject({ status: 'processing', progress: 0.5 })
  const done = await complete(env, task.id)
  let last: StreamEvent | null = null
  for (let next = await event(); next; next = await event()) last = next
  expect(last!.id).toBe(eventId(done))
  expect(JSON.parse(last!.data!)).toMatchObject({ status: 'completed', progress: 1 })
})

test('a task that has ended is sent once, and 204 stops who has it', async () => {
  await using env = await testBindings()
  const task = await completedTask(env)
  expect(await rest(await stream(env, task.id))).toMatchObject([
    { retry: '2000' },
    { event: 'task', id: eventId(task) },
  ])
  const stale = await stream(env, task.id, { 'Last-Event-ID': '1-pending-0' })
  expect(await rest(stale)).toMatchObject([{ retry: '2000' }, { event: 'task', id: eventId(task) }])
  const again = await stream(env, task.id, { 'Last-Event-ID': eventId(task) })
  expect(again.status).toBe(204)
  expect(again.body).toBeNull()
})

test('the id of a final state does not change with its callback', async () => {
  await using env = await testBindings()
  const callback = { url: 'https://a.example', status: 'pending' as const, attempts: 0, lastStatus: null }
  const task = await completedTask(env, { callback })
  await env.tasks.recordCallback(task.id, { ...callback, attempts: 1 }, null)
  expect(eventId((await env.tasks.get(task.id))!)).toBe(eventId(task))
})

test('a client that comes back is not told again what it knows', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  const { event } = reading(await stream(env, task.id, { 'Last-Event-ID': eventId(task) }))
  expect(await event()).toEqual({ retry: '2000' })
  const next = event()
  await fail(env, task.id, { code: 'image-corrupt', message: 'Cut off.' })
  expect(JSON.parse((await next)!.data!)).not.toMatchObject({ status: 'pending' })
})

test('a deleted task ends the stream with an event of its own', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  const { event } = reading(await stream(env, task.id))
  await event()
  await event()
  await env.tasks.delete(task.id)
  expect(await event()).toEqual({ event: 'deleted', data: '{}' })
  expect(await event()).toBeNull()
  expect((await stream(env, task.id)).status).toBe(404)
})

test('cancelling ends the iteration at once, and leaves no listener and no timer', async () => {
  await using bindings = await testBindings()
  const { id } = await pendingTask(bindings)
  const { open, env } = counted(bindings)
  const { signal } = new AbortController()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const { reader, event } = reading(await stream({ ...env, invocation: testInvocation({ signal }) }, id))
    await event()
    await event()
    const waiting = event()
    await vi.waitUntil(() => vi.getTimerCount() === 1)
    expect(open.now).toBe(1)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await reader.cancel()
    expect(await waiting).toBeNull()
    expect(open.now).toBe(0)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test('the end of the invocation ends the stream', async () => {
  await using bindings = await testBindings()
  const { id } = await pendingTask(bindings)
  const { open, env } = counted(bindings)
  const gone = new AbortController()
  const invocation = testInvocation({ signal: gone.signal })
  const { event } = reading(await stream({ ...env, invocation }, id))
  await event()
  await event()
  const last = event()
  gone.abort()
  expect(await last).toBeNull()
  expect(open.now).toBe(0)
})

test('nothing listens for a body that nobody reads, nor for HEAD', async () => {
  await using bindings = await testBindings()
  const { id } = await pendingTask(bindings)
  const { open, env } = counted(bindings)
  const unread = await stream(env, id)
  const head = await stream(env, id, {}, 'HEAD')
  expect(head.headers.get('content-type')).toBe('text/event-stream')
  expect(head.body).toBeNull()
  await unread.body!.cancel()
  expect(open.ever).toBe(0)
})

test('a reader that does not read gets the newest state, not all of them', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  const { event } = reading(await stream(env, task.id))
  await event()
  await event()
  await env.tasks.claim(task.id, { attempt: 1, nextCheckAt: Date.now() })
  for (let step = 1; step <= 20; step++) {
    await env.tasks.advance(task.id, 1, { progress: step / 100 })
    // Lets the stream see each state by itself.
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(JSON.parse((await event())!.data!)).toMatchObject({ progress: 0.2 })
})

test('silence is filled with comments', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    await using env = await testBindings()
    const task = await pendingTask(env)
    const { reader, block } = reading(await stream(env, task.id))
    await block()
    await block()
    const next = block()
    await vi.waitUntil(() => vi.getTimerCount() === 1)
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    expect(await next).toMatch(/^: .*\n\n$/)
    await reader.cancel()
  } finally {
    vi.useRealTimers()
  }
})

test('sends the present state and ends where there is no room to wait', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  async function* changes(): AsyncGenerator<Task | null> {}
  const events = await rest(await stream({ ...env, tasks: { ...env.tasks, changes } }, task.id))
  expect(events).toMatchObject([{ retry: '2000' }, { event: 'task', id: eventId(task) }])
})

test('states that show nothing new do not keep the stream silent', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  async function* changes(_id: string, signal: AbortSignal): AsyncGenerator<Task | null> {
    for (let check = 1; !signal.aborted; check++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      yield { ...task, nextCheckAt: check }
    }
  }
  const options = { tasks: { changes }, links: env.links, task, lastEventId: undefined, heartbeatMs: 50 }
  const reader = taskEvents({ ...options, signal: new AbortController().signal }).getReader()
  await reader.read()
  await reader.read()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe(': still here\n\n')
  await reader.cancel()
})

test('a fault of the store ends the stream with it', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env)
  // oxlint-disable-next-line require-yield -- it fails before it has anything to yield
  async function* changes(): AsyncGenerator<Task | null> {
    throw new Error('away')
  }
  const options = { tasks: { changes }, links: env.links, task, lastEventId: undefined, heartbeatMs: HEARTBEAT_MS }
  const reader = taskEvents({ ...options, signal: new AbortController().signal }).getReader()
  await reader.read()
  await reader.read()
  await expect(reader.read()).rejects.toThrow('away')
})
