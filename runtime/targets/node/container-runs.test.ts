import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { testInvocation } from '../../../test/bindings.ts'
import { TIMEOUT_MAX_MS } from '../../limits.ts'
import { containerRuns } from './container-runs.ts'
import { CONTAINER_STOP_MS } from './limits.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it.each([1_000, TIMEOUT_MAX_MS])(
  'a client that left leaves the run its time until the deadline: %i ms',
  (timeoutMs) => {
    const kill = vi.fn<() => void>()
    const silent = (): void => undefined
    const runs = containerRuns({ allowed: [], send: silent, kill, stopMs: CONTAINER_STOP_MS, onRest: silent })
    const invocation = testInvocation({ deadline: Date.now() + timeoutMs, signal: AbortSignal.abort() })
    runs.begin({ invocation } as Bindings, undefined).close()
    vi.advanceTimersByTime(timeoutMs - 1)
    expect(kill).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1 + CONTAINER_STOP_MS)
    expect(kill).toHaveBeenCalledOnce()
  },
)
