import { describe, expect, it } from 'vitest'
import { checkConfig } from '../loader.ts'
import { overrideConfig } from './override.ts'

const queue = (isolation: string) =>
  checkConfig({
    trigger: { type: 'queue', queue: 'q', concurrency: 4, maxAttempts: 3 },
    timeoutMs: 1,
    isolation,
  })
const http = (isolation: string) =>
  checkConfig({ trigger: { type: 'http', routes: ['GET /a'] }, timeoutMs: 1, isolation })
const two = (asked: number) => Math.min(asked, 2)
const all = (asked: number) => asked

describe('what the environment changes', () => {
  it.each([
    ['nothing', 'process-image', {}, all, { concurrency: 4, maxAttempts: 3 }],
    ['CONCURRENCY', 'process-image', { CONCURRENCY: 7 }, all, { concurrency: 7, maxAttempts: 3 }],
    ['MAX_RETRIES', 'process-image', { MAX_RETRIES: 5 }, all, { concurrency: 4, maxAttempts: 6 }],
    ['MAX_RETRIES=0', 'process-image', { MAX_RETRIES: 0 }, all, { concurrency: 4, maxAttempts: 1 }],
    [
      'of another function nothing',
      'notify',
      { CONCURRENCY: 7, MAX_RETRIES: 5 },
      all,
      { concurrency: 4, maxAttempts: 3 },
    ],
    ['what fits', 'process-image', { CONCURRENCY: 7 }, two, { concurrency: 2, maxAttempts: 3 }],
  ])('%s', (_what, name, env, fitting, trigger) => {
    expect(overrideConfig(name, queue('process'), env, fitting).trigger).toMatchObject(trigger)
  })

  it('inline functions are not bounded by how many containers fit, isolated http functions are', () => {
    expect(overrideConfig('a', queue('inline'), {}, two).trigger).toMatchObject({ concurrency: 4 })
    expect(overrideConfig('a', http('inline'), {}, two).trigger).toMatchObject({ concurrency: 1_000 })
    expect(overrideConfig('a', http('process'), {}, two).trigger).toMatchObject({ concurrency: 2 })
  })

  it('of a timer nothing', () => {
    const timer = checkConfig({ trigger: { type: 'timer', everyMs: 1_000 }, timeoutMs: 1 })
    expect(overrideConfig('process-image', timer, { CONCURRENCY: 7, MAX_RETRIES: 5 }, two)).toEqual(timer)
  })
})
