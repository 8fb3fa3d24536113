/** What every cloud target keeps of its platform's time, in ms. */
import { SECOND_MS } from '#shared/limits.ts'

/** Left of the platform's time for the answer, once the function's own is over. */
export const PLATFORM_MARGIN_MS = 500
/** Default of the longest wait: gateways give up after 29 to 30 s, and what comes before and after it takes its time. */
export const WAIT_MAX_MS = 25 * SECOND_MS
/** From the end of a wait to the deadline: an answer has to be read and written. */
export const AFTER_WAIT_MS = 2 * SECOND_MS
/** How long an instance tries to reach its stores before it takes requests: Lambda allows 10 s for all of a start. */
export const WARM_UP_MS = 6 * SECOND_MS
