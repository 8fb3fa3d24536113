import type { Invocation } from '#shared/bindings.ts'
import { SWEEP_MARGIN_MS } from './limits.ts'

/** False once a run must come to its end: what is left is the next one's. */
export function hasTimeLeft({ signal, deadline }: Pick<Invocation, 'signal' | 'deadline'>): boolean {
  return !signal.aborted && Date.now() < deadline - SWEEP_MARGIN_MS
}
