import { MIB, SECOND_MS } from '#shared/limits.ts'

/** API Gateway waits 30 s for a function, and its own part of that is not ours to count on. */
export const GATEWAY_MS = 29 * SECOND_MS
/** Of an answer as one object: Lambda takes 6 MiB of JSON, in which bytes are base64, beside the headers. */
export const ANSWER_BYTES_MAX = 4.4 * MIB
