/** A function of which nothing ran: its code or its process could not be had. */
import { Problem, uncounted } from './errors.ts'
import { SECOND_MS } from './limits.ts'

/** After a start that failed: each try costs a process, and no number of them ends a message. */
export const START_RETRY_MS = 5 * SECOND_MS

/** What its caller is told. A queue message loses no attempt by it: a machine that is busy must fail no good picture. */
export function notStarted(cause: unknown): Problem {
  const problem = new Problem('unavailable', 'The function could not be started; the log has the reason.', { cause })
  return uncounted(problem, START_RETRY_MS / SECOND_MS)
}
