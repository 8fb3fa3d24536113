import { expect, test, vi } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { imagePart, postForm, taskOf } from './requests.fixture.ts'

const image = imagePart(await picture({ width: 30, height: 20 }))

async function fail(env: TestBindings, id: string): Promise<void> {
  const claimed = await env.tasks.claim(id, { attempt: 1, nextCheckAt: Date.now() })
  await env.tasks.settle(id, claimed!.fence, { status: 'failed', error: { code: 'image-corrupt', message: 'no' } })
}

/** Runs `next` with the id of each task that is made. */
function onCreate(env: TestBindings, next: (id: string) => Promise<unknown>): void {
  const { tasks } = env
  const create: TaskStore['create'] = async (task, message) => {
    const outcome = await tasks.create(task, message)
    queueMicrotask(() => void next(task.id))
    return outcome
  }
  env.tasks = { ...tasks, create }
}

test('a task that ends in time is the answer', async () => {
  await using env = await testBindings()
  onCreate(env, async (id) => await fail(env, id))
  const response = await postForm(env, [image], { Prefer: 'respond-async, wait=20' })
  expect(response.status).toBe(201)
  expect(response.headers.get('preference-applied')).toBe('wait=20')
  expect(response.headers.get('retry-after')).toBeNull()
  const task = await taskOf(response)
  expect(task.status).toBe('failed')
  expect(response.headers.get('location')).toBe(`/tasks/${task.id}`)
})

test.each(['wait=0', 'wait=1'])('%s: a task that does not end in time is answered as it is', async (prefer) => {
  await using env = await testBindings()
  const response = await postForm(env, [image], { Prefer: prefer })
  expect(response.status).toBe(202)
  expect(response.headers.get('preference-applied')).toBe(prefer)
  expect(response.headers.get('retry-after')).toBe('1')
  expect((await taskOf(response)).status).toBe('pending')
})

test('more than is allowed is waited as long as is allowed', async () => {
  await using env = await testBindings()
  onCreate(env, async (id) => await fail(env, id))
  const response = await postForm(env, [image], { Prefer: 'wait=31' })
  expect(response.headers.get('preference-applied')).toBe('wait=30')
})

test.each([
  ['ends a second before the deadline', 11_000, 10_000],
  ['is none where the deadline is nearer', 900, 0],
])('a wait %s: 202, never 504', async (_what, leftMs, waitedMs) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  try {
    await using env = await testBindings()
    const waits: number[] = []
    const { tasks } = env
    env.tasks = {
      ...tasks,
      // Accepting took its time: the deadline is what is left of it.
      create: async (task, message) => {
        env.invocation.deadline = Date.now() + leftMs
        return await tasks.create(task, message)
      },
      changes: async function* (id, signal) {
        yield await tasks.get(id)
        const since = Date.now()
        await vi.advanceTimersToNextTimerAsync()
        waits.push(Date.now() - since)
        expect(signal.aborted).toBe(true)
      },
    }
    const response = await postForm(env, [image], { Prefer: 'wait=20' })
    expect(response.status).toBe(202)
    expect((await taskOf(response)).status).toBe('pending')
    expect(waits).toEqual(waitedMs === 0 ? [] : [waitedMs])
  } finally {
    vi.useRealTimers()
  }
})

test.each(['wait', 'wait=x', 'wait=-1', 'return=minimal'])('%s is not a wait', async (prefer) => {
  await using env = await testBindings()
  const response = await postForm(env, [image], { Prefer: prefer })
  expect(response.status).toBe(202)
  expect(response.headers.get('preference-applied')).toBeNull()
})

test('changes that end early, break, or end with a deletion are answered with what was seen last', async () => {
  for (const how of ['end', 'break', 'delete']) {
    await using env = await testBindings()
    const changes: TaskStore['changes'] = async function* (id) {
      yield await env.tasks.get(id)
      if (how === 'break') throw new Error('gone')
      if (how === 'delete') yield null
    }
    env.tasks = { ...env.tasks, changes }
    const response = await postForm(env, [image], { Prefer: 'wait=30' })
    expect(response.status).toBe(202)
    expect(response.headers.get('preference-applied')).toBe('wait=30')
  }
})

test('a watch is let go with the answer', async () => {
  await using env = await testBindings()
  const signals: AbortSignal[] = []
  const { tasks } = env
  env.tasks = { ...tasks, changes: (id, signal) => (signals.push(signal), tasks.changes(id, signal)) }
  onCreate(env, async (id) => await fail(env, id))
  await postForm(env, [image], { Prefer: 'wait=20' })
  expect(signals.map(({ aborted }) => aborted)).toEqual([true])
})
