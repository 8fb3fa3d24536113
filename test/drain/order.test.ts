/** In which order a drain does what it does. */
import { expect, test } from 'vitest'
import type { Consumer } from '#shared/consumer.ts'
import { drain } from '../../runtime/shutdown.ts'

/** Longer than any test: what is awaited comes before. */
const NEVER_MS = 2 ** 30

test('whoever waits is answered when the work is over, which is before the connections are', async () => {
  const told: string[] = []
  const work = Promise.withResolvers<void>()
  const answers = Promise.withResolvers<void>()
  const consumer: Consumer = {
    pause: () => void told.push('pause'),
    idle: async () => await work.promise,
    close: async () => void told.push('give back'),
  }
  const over = drain({
    servers: [{ close: async () => await answers.promise, force: () => void told.push('force') }],
    streams: { admit: (response) => response, end: () => void told.push('end streams') },
    consumers: [consumer],
    timers: [{ stop: async () => undefined }],
    functions: [],
    bindings: { close: async () => void told.push('close bindings') },
    endWaits: () => {
      told.push('end waits')
      answers.resolve()
    },
    ms: NEVER_MS,
  })
  expect(told).toEqual(['pause', 'end streams'])
  work.resolve()
  await over
  expect(told).toEqual(['pause', 'end streams', 'end waits', 'force', 'give back', 'close bindings'])
})
