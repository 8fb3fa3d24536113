import { setImmediate } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { together } from './together.ts'

let begun: { key: string; end: PromiseWithResolvers<void> }[]
let act: (key: string) => Promise<void>
beforeEach(() => {
  begun = []
  act = together((key) => {
    const end = Promise.withResolvers<void>()
    begun.push({ key, end })
    return end.promise
  })
})

test('whoever asks while one runs is served by the next, and by one with all others', async () => {
  const told: number[] = []
  const ask = (who: number): Promise<void> => act('a').then(() => void told.push(who))
  const first = ask(1)
  const others = [ask(2), ask(3)]
  expect(begun).toHaveLength(1)
  begun[0]!.end.resolve()
  await first
  await setImmediate()
  expect(told).toEqual([1])
  expect(begun).toHaveLength(2)
  begun[1]!.end.resolve()
  await Promise.all(others)
})

test('keys wait for their own alone, and one that is over holds nobody up', async () => {
  const a = act('a')
  const b = act('b')
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b'])
  begun.forEach(({ end }) => end.resolve())
  await Promise.all([a, b])
  const again = act('a')
  expect(begun).toHaveLength(3)
  begun[2]!.end.resolve()
  await again
})

test('a failure is told to those that it served, and the next goes on', async () => {
  const first = act('a')
  const second = act('a')
  begun[0]!.end.reject(new Error('no'))
  await expect(first).rejects.toThrow('no')
  await setImmediate()
  begun[1]!.end.resolve()
  await second
})
