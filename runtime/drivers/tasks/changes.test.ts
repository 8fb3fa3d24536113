import { expect, test, vi } from 'vitest'
import type { Task } from '#shared/task.ts'
import { watchChanges } from './changes.ts'

const state = (progress: number): Task => ({ id: 'a', progress }) as Task

test('a write that lands while the first state is being read is read again', async () => {
  let current = state(0)
  const changes = watchChanges({
    read: async () => {
      const seen = current
      if (seen.progress === 0) {
        // What a store does while a reader has its answer on the way: the write, then the touch.
        current = state(1)
        changes.touch('a')
      }
      return seen
    },
  })
  const states = changes.watch('a', new AbortController().signal)[Symbol.asyncIterator]()
  expect((await states.next()).value).toEqual(state(0))
  expect((await states.next()).value).toEqual(state(1))
  await states.return?.()
})

test('a touch that changed nothing yields nothing', async () => {
  const read = vi.fn<() => Task>().mockReturnValueOnce(state(0)).mockReturnValueOnce(state(0)).mockReturnValue(state(1))
  const changes = watchChanges({ read })
  const states = changes.watch('a', new AbortController().signal)[Symbol.asyncIterator]()
  await states.next()
  const next = states.next()
  changes.touch('a')
  await vi.waitFor(() => expect(read).toHaveBeenCalledTimes(2))
  changes.touch('a')
  expect((await next).value).toEqual(state(1))
  await states.return?.()
})

test('whileWatched runs from the first watch to the end of the last', async () => {
  const stop = vi.fn<() => void>()
  const start = vi.fn<() => () => void>(() => stop)
  const changes = watchChanges({ read: () => state(0), whileWatched: start })
  const watch = (id: string) => changes.watch(id, new AbortController().signal)[Symbol.asyncIterator]()
  const [first, second, other] = [watch('a'), watch('a'), watch('b')]
  expect(start).not.toHaveBeenCalled()
  await Promise.all([first.next(), second.next(), other.next()])
  expect(start).toHaveBeenCalledTimes(1)
  expect(changes.watchers()).toBe(3)
  await first.return?.()
  await other.return?.()
  expect(stop).not.toHaveBeenCalled()
  await second.return?.()
  expect(changes.watchers()).toBe(0)
  expect(stop).toHaveBeenCalledTimes(1)
  await watch('a').next()
  expect(start).toHaveBeenCalledTimes(2)
})

test('whileTaskWatched runs for each task, from before the first read to the end of its last watch', async () => {
  const told: string[] = []
  const changes = watchChanges({
    read: (id) => {
      told.push(`read ${id}`)
      return state(0)
    },
    whileTaskWatched: (id) => {
      told.push(`begin ${id}`)
      return () => void told.push(`end ${id}`)
    },
  })
  const watch = (id: string) => changes.watch(id, new AbortController().signal)[Symbol.asyncIterator]()
  const [first, second, other] = [watch('a'), watch('a'), watch('b')]
  for (const each of [first, second, other]) await each.next()
  expect(told.splice(0)).toEqual(['begin a', 'read a', 'read a', 'begin b', 'read b'])
  await first.return?.()
  await other.return?.()
  expect(told.splice(0)).toEqual(['end b'])
  await second.return?.()
  expect(told).toEqual(['end a'])
})

test('no listener stays after break, abort, deletion or a failed read', async () => {
  let current: Task | null = state(0)
  let broken = false
  const changes = watchChanges({
    read: () => {
      if (broken) throw new Error('away')
      return current
    },
  })
  const controller = new AbortController()
  for await (const _ of changes.watch('a', controller.signal)) break
  expect(changes.watchers()).toBe(0)

  const aborted = changes.watch('a', controller.signal)[Symbol.asyncIterator]()
  await aborted.next()
  const next = aborted.next()
  expect(changes.watchers()).toBe(1)
  controller.abort()
  await next
  expect(changes.watchers()).toBe(0)

  const signal = new AbortController().signal
  const deleted = changes.watch('a', signal)[Symbol.asyncIterator]()
  await deleted.next()
  const gone = deleted.next()
  current = null
  changes.touchAll()
  expect((await gone).value).toBeNull()
  await deleted.next()
  expect(changes.watchers()).toBe(0)

  broken = true
  await expect(changes.watch('a', signal)[Symbol.asyncIterator]().next()).rejects.toThrow('away')
  expect(changes.watchers()).toBe(0)
})
