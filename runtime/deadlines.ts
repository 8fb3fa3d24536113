/** The deadlines of all invocations under one timer: to set and clear one for each cost a request 4 % of its CPU. */

export interface Deadline {
  /** On performance.now()'s clock, in ms. */
  at: number
  /** Called once `at` has passed, and again while it is past: it moves `at`, or takes the deadline off. */
  passed(): void
}

const watched = new Set<Deadline>()
let timer: NodeJS.Timeout | undefined
/** No deadline is earlier. Where one was that has been taken off, the timer fires for nothing, once. */
let wakesAt = Infinity

function wakeAt(at: number): void {
  clearTimeout(timer)
  wakesAt = at
  timer = setTimeout(look, Math.max(at - performance.now(), 0))
}

function look(): void {
  wakesAt = Infinity
  const now = performance.now()
  for (const deadline of watched) if (deadline.at <= now) deadline.passed()
  const next = Math.min(...[...watched].map(({ at }) => at))
  if (next < wakesAt) wakeAt(next)
}

export function watchDeadline(deadline: Deadline): void {
  watched.add(deadline)
  if (deadline.at < wakesAt) wakeAt(deadline.at)
  else if (watched.size === 1) timer?.ref()
}

export function forgetDeadline(deadline: Deadline): void {
  // A process that has nothing else to do may end.
  if (watched.delete(deadline) && watched.size === 0) timer?.unref()
}
