import { expect, test } from 'vitest'
import { DRAIN_MARGIN_MS, TIMEOUT_MAX_MS } from '../../limits.ts'
import type { LoadedFunction } from '../../loader.ts'
import { drainMs } from './drain-time.ts'

const serving = (...timeouts: number[]): LoadedFunction[] =>
  timeouts.map((timeoutMs) => ({ config: { timeoutMs } }) as LoadedFunction)

test.each([
  ['the longest timeout and a margin', undefined, serving(35_000, 10_000), 35_000 + DRAIN_MARGIN_MS],
  ['no longer than a timer takes', undefined, serving(TIMEOUT_MAX_MS), TIMEOUT_MAX_MS],
  ['what is set', 0, serving(35_000), 0],
  ['a margin where nothing is served', undefined, [], DRAIN_MARGIN_MS],
])('a drain lasts %s', (_what, DRAIN_MS, functions, expected) => {
  expect(drainMs({ DRAIN_MS }, functions)).toBe(expected)
})
