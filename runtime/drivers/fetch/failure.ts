/** What went wrong with someone else's server, told without a word about ours. */
import { Problem } from '#shared/errors.ts'

const TIMEOUTS: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])
const REASONS: Record<string, string> = {
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve at the moment',
  ECONNREFUSED: 'it refused the connection',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  UND_ERR_SOCKET: 'it closed the connection',
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no way to its address',
  UND_ERR_HEADERS_OVERFLOW: 'its answer has too many headers',
}
/** Codes of node:tls and of OpenSSL's certificate checks. */
const TLS_CODE = /CERT|TLS|SSL|SIGNATURE|ISSUER|CRL|^EPROTO$/

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  // Every address was tried and each failed in its own way; the first tells enough.
  return error instanceof AggregateError ? codeOf(error.errors[0]) : ''
}

function reasonOf(code: string): string {
  const known = REASONS[code]
  if (known !== undefined) return known
  if (code.startsWith('HPE_')) return 'its answer is not HTTP'
  return TLS_CODE.test(code) ? 'no trusted TLS connection could be made' : 'the exchange with it failed'
}

export function unreachable(host: string, reason: string, cause?: unknown): Problem {
  return new Problem('source-unreachable', `${host} could not be fetched from: ${reason}.`, { cause })
}

function tooSlow(host: string, cause?: unknown): Problem {
  return new Problem('source-timeout', `${host} did not answer in time.`, { cause })
}

/** Any failure of a request as a Problem: `url-not-allowed` as it is, else `source-timeout` or `source-unreachable`. */
export function problemOf(error: unknown, host: string, signal: AbortSignal): Problem {
  if (error instanceof Problem) return error
  const code = codeOf(error)
  if (signal.aborted || TIMEOUTS.has(code)) return tooSlow(host, error)
  return unreachable(host, reasonOf(code), error)
}
