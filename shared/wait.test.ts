import { getEventListeners } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { testBindings } from '../test/bindings.ts'
import { complete, pendingTask } from '../test/tasks.ts'
import type { TaskStore } from './bindings.ts'
import { isTerminal, newTaskId, type Task } from './task.ts'
import { waitFor } from './wait.ts'

const LONG_MS = 60_000

/** Counts the iterations of `changes` that are open, and tells when one begins to wait. */
function counted(tasks: TaskStore) {
  const state = { open: 0, begun: Promise.withResolvers<void>() }
  async function* changes(id: string, signal: AbortSignal): AsyncGenerator<Task | null> {
    state.open++
    try {
      for await (const task of tasks.changes(id, signal)) {
        state.begun.resolve()
        yield task
      }
    } finally {
      state.open--
    }
  }
  return { state, tasks: { ...tasks, changes } }
}

describe('waitFor', () => {
  test('answers with the state that is done, and leaves nothing behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      await using env = await testBindings()
      const { id } = await pendingTask(env)
      const { state, tasks } = counted(env.tasks)
      const { signal } = new AbortController()
      const waiting = waitFor(tasks, id, signal, LONG_MS, isTerminal)
      await state.begun.promise
      expect(vi.getTimerCount()).toBe(1)
      expect(getEventListeners(signal, 'abort')).toHaveLength(1)
      await complete(env, id)
      expect(await waiting).toMatchObject({ id, status: 'completed' })
      expect(vi.getTimerCount()).toBe(0)
      expect(getEventListeners(signal, 'abort')).toHaveLength(0)
      expect(state.open).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('answers with what is there when the time is up', async () => {
    await using env = await testBindings()
    const { id } = await pendingTask(env)
    const { state, tasks } = counted(env.tasks)
    expect(await waitFor(tasks, id, new AbortController().signal, 10, isTerminal)).toMatchObject({ status: 'pending' })
    expect(state.open).toBe(0)
  })

  test('answers with what is there when the signal aborts', async () => {
    await using env = await testBindings()
    const { id } = await pendingTask(env)
    const { state, tasks } = counted(env.tasks)
    const gone = new AbortController()
    const waiting = waitFor(tasks, id, gone.signal, LONG_MS, isTerminal)
    await state.begun.promise
    gone.abort()
    expect(await waiting).toMatchObject({ status: 'pending' })
    expect(state.open).toBe(0)
    expect(await waitFor(tasks, id, gone.signal, LONG_MS, isTerminal)).toMatchObject({ status: 'pending' })
  })

  test('is null for a task that is deleted meanwhile, or was never there', async () => {
    await using env = await testBindings()
    const { id } = await pendingTask(env)
    const { state, tasks } = counted(env.tasks)
    const { signal } = new AbortController()
    const waiting = waitFor(tasks, id, signal, LONG_MS, isTerminal)
    await state.begun.promise
    await env.tasks.delete(id)
    expect(await waiting).toBeNull()
    expect(await waitFor(tasks, newTaskId(), signal, LONG_MS, isTerminal)).toBeNull()
  })

  test('reads the task itself when there is no room for another waiter', async () => {
    await using env = await testBindings()
    const { id } = await pendingTask(env)
    async function* changes(): AsyncGenerator<Task | null> {}
    const { signal } = new AbortController()
    const tasks = { ...env.tasks, changes }
    expect(await waitFor(tasks, id, signal, LONG_MS, isTerminal)).toMatchObject({ id, status: 'pending' })
    expect(await waitFor(tasks, newTaskId(), signal, LONG_MS, isTerminal)).toBeNull()
  })

  test('passes a fault of the store on, and leaves nothing behind', async () => {
    const { signal } = new AbortController()
    const changes = (): never => {
      throw new Error('away')
    }
    await expect(waitFor({ get: async () => null, changes }, 'x', signal, LONG_MS, isTerminal)).rejects.toThrow('away')
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})
