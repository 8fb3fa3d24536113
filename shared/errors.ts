/**
 * Everything that can be answered but a result: RFC 9457 problems, their codes, and the type that carries them. Longer
 * than 250 lines, since the codes are one list.
 */
import { NOT_RUN_HEADER } from './verdict.ts'

interface ProblemType {
  status: number
  title: string
  /** What /problems/{code} says: what it means and what to do. */
  about: string
}

/** The stable codes. Clients match these; `Task.error.code` takes its values from the same list. */
export const PROBLEMS = {
  'invalid-request': {
    status: 400,
    title: 'Invalid request',
    about: 'The request is malformed or an option is unknown or out of range. `errors` points at each fault.',
  },
  'invalid-cursor': {
    status: 400,
    title: 'Invalid cursor',
    about: 'A cursor is opaque: use `nextCursor` of the previous page unchanged, with the same filters.',
  },
  unauthorized: {
    status: 401,
    title: 'Unauthorized',
    about: 'Send one of the configured keys as `X-API-Key` or `Authorization: Bearer`.',
  },
  'link-invalid': {
    status: 403,
    title: 'Invalid or expired link',
    about:
      'The signature of the link does not fit its path, or its time is over. Read the task again for a fresh link.',
  },
  'cross-site': {
    status: 403,
    title: 'Cross-site request refused',
    about: 'Without API_KEY only pages of this host may change anything. Set API_KEY, or call from the same site.',
  },
  'not-found': {
    status: 404,
    title: 'Not found',
    about: 'There is no such resource, or it was deleted or has expired.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    about: 'The path exists, the method does not. `Allow` lists those that do.',
  },
  'request-timeout': {
    status: 408,
    title: 'Request timeout',
    about: 'The request body stopped arriving. Nothing was stored; send it again.',
  },
  'task-not-finished': {
    status: 409,
    title: 'Task not finished',
    about: 'It is not there yet. Ask again after `Retry-After`; where the path takes it, `?wait=20` holds the answer.',
  },
  'original-gone': {
    status: 409,
    title: 'Original gone',
    about: 'The original of that task was discarded, so nothing can be made from it.',
  },
  'request-in-progress': {
    status: 409,
    title: 'Request in progress',
    about: 'A request with this Idempotency-Key is still running. Send it again after `Retry-After`.',
  },
  'upload-taken': {
    status: 409,
    title: 'Upload taken',
    about: 'The link of an upload takes one file, and it has one. Complete the upload, or ask for another.',
  },
  'upload-missing': {
    status: 409,
    title: 'Nothing uploaded',
    about: 'An upload is completed once its file has been sent to `uploadUrl`. Send it, then complete.',
  },
  'task-deleted': {
    status: 410,
    title: 'Task deleted',
    about: 'The task of this Idempotency-Key was deleted. Use another key.',
  },
  'precondition-failed': {
    status: 412,
    title: 'Precondition failed',
    about:
      'What is there is no longer what `If-Match` names, has changed after `If-Unmodified-Since`, or is what `If-None-Match` excludes. Nothing was done: read it again, and decide anew.',
  },
  'too-large': {
    status: 413,
    title: 'Too large',
    about: 'What was sent has more bytes than is accepted; the detail says which limit. Nothing was stored.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    about: 'A body of this type is not taken. The detail says what this path accepts.',
  },
  'unsupported-image': {
    status: 415,
    title: 'Unsupported image',
    about:
      'The bytes are not an image of an accepted format: JPEG, PNG, WebP, GIF, AVIF. The bytes decide, never the name.',
  },
  'range-not-satisfiable': {
    status: 416,
    title: 'Range not satisfiable',
    about: 'The range lies outside the file; `Content-Range` has its length.',
  },
  'misdirected-request': {
    status: 421,
    title: 'Misdirected request',
    about: 'Without API_KEY the server answers only to localhost. Set API_KEY to serve under another name.',
  },
  'image-corrupt': {
    status: 422,
    title: 'Corrupt image',
    about: 'The image is truncated or damaged and cannot be decoded.',
  },
  'image-too-many-pixels': {
    status: 422,
    title: 'Too many pixels',
    about: 'Decoding the image would take more pixels than this server accepts.',
  },
  'output-too-costly': {
    status: 422,
    title: 'Output too costly',
    about: 'The variants together have too many pixels. Ask for fewer, smaller, or another format than AVIF.',
  },
  'url-not-allowed': {
    status: 422,
    title: 'URL not allowed',
    about: 'Only http and https to public addresses are fetched. ALLOW_HOSTS opens others.',
  },
  'callback-not-configured': {
    status: 422,
    title: 'Callbacks not configured',
    about: 'callbackUrl needs WEBHOOK_SECRET and PUBLIC_URL on the server.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'Idempotency-Key reused',
    about: 'This key was used with another image or other options. Use a new key for a new request.',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    about: 'The rate limit is reached. Send again after `Retry-After`.',
  },
  'headers-too-large': {
    status: 431,
    title: 'Headers too large',
    about: 'The URL and the headers together are larger than this server reads. Send fewer or shorter ones.',
  },
  'internal-error': {
    status: 500,
    title: 'Internal error',
    about: 'Something failed that should not. The log has it under the trace id of the `traceparent` header.',
  },
  'function-died': {
    status: 502,
    title: 'Function died',
    about: 'The process that ran this request ended before it answered. It was replaced; send the request again.',
  },
  unavailable: {
    status: 503,
    title: 'Unavailable',
    about: 'The server cannot do this right now. Nothing was half-written; send the request again after `Retry-After`.',
  },
  'deadline-exceeded': { status: 504, title: 'Deadline exceeded', about: 'The function did not answer in its time.' },
  'source-unreachable': {
    status: 422,
    title: 'Source unreachable',
    about: 'The URL of the image could not be fetched.',
  },
  'source-timeout': { status: 422, title: 'Source too slow', about: 'The URL of the image did not answer in time.' },
  'processing-failed': {
    status: 422,
    title: 'Processing failed',
    about: 'The image could not be processed in the allowed number of attempts.',
  },
} as const satisfies Record<string, ProblemType>

export type ProblemCode = keyof typeof PROBLEMS

export interface FieldError {
  /** JSON pointer (RFC 6901) into the body, or the name of a field, parameter or header. */
  pointer: string
  detail: string
}

export interface ProblemOptions extends ErrorOptions {
  headers?: Record<string, string>
  errors?: FieldError[]
  /** In place of the code's own: what a failed task cannot give is a 409, whichever code the task failed with. */
  status?: number
  /** Of a write: it may be done, now or later, so that what was stored for it must stay. */
  unanswered?: boolean
}

/** An answer other than the result. The detail says what was expected and what came, and holds no path and no secret. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly status: number
  readonly headers: Record<string, string>
  readonly errors: FieldError[] | undefined
  readonly unanswered: boolean

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    const { headers = {}, errors, status, unanswered = false, cause } = options
    super(detail, { cause })
    this.code = code
    this.status = status ?? PROBLEMS[code].status
    this.headers = headers
    this.errors = errors
    this.unanswered = unanswered
  }
}

/** A store, queue or cache cannot be reached or is full: 503 with Retry-After, and a retry for a queue message. */
export function unavailable(what: string, cause?: unknown, retryAfterSeconds = 2): Problem {
  return new Problem('unavailable', `The ${what} cannot be reached right now.`, {
    cause,
    headers: { 'Retry-After': String(retryAfterSeconds) },
  })
}

/**
 * As `unavailable`, of the task store: without it a function can neither begin nor end anything, so a queue message loses
 * no attempt by it. (One whose store answers now and then would use up the attempts of pictures that nothing is wrong
 * with.)
 */
export function taskStoreAway(what: string, cause?: unknown): Problem {
  const problem = unavailable(what, cause)
  problem.headers[NOT_RUN_HEADER] = '1'
  return problem
}

/** The same answer, of a write that may be done all the same. */
export function unanswered({ code, message, headers, cause }: Problem): Problem {
  return new Problem(code, message, { headers, cause, unanswered: true })
}

/**
 * The same answer, as one that says nothing of the message: no attempt is lost by it. Whoever gives it needs another
 * bound, since no number of them ends the message.
 */
export function uncounted(problem: Problem, retryAfterSeconds: number): Problem {
  const { code, message, cause } = problem
  const headers = { ...problem.headers, 'Retry-After': String(retryAfterSeconds), [NOT_RUN_HEADER]: '1' }
  return new Problem(code, message, { headers, cause })
}

/** What every call through a binding rejects with once its invocation was told that it is too late. */
export class InvocationEnded extends Error {
  override readonly name = 'InvocationEnded'
  constructor() {
    super('The invocation has ended: its deadline passed, and its bindings are closed.')
  }
}

/** A bad value in the environment. The message names the variable; who starts the process is shown it without a stack. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export interface ProblemContext {
  /** PUBLIC_URL, the base of `type`; relative where unset. */
  publicUrl?: string | undefined
  /** The path that was asked for. */
  instance: string
}

/** Writes a problem as `application/problem+json`, never cached. */
export function problemResponse(problem: Problem, { publicUrl = '', instance }: ProblemContext): Response {
  const body = {
    type: `${publicUrl}/problems/${problem.code}`,
    title: PROBLEMS[problem.code].title,
    status: problem.status,
    detail: problem.message,
    instance,
    code: problem.code,
    ...(problem.errors ? { errors: problem.errors } : {}),
  }
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...problem.headers },
  })
}
