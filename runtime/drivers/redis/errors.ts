/** Tells a Redis that cannot serve right now from a command that is wrong. */
import { Problem, unavailable } from '#shared/errors.ts'

/** Error codes (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors) that say nothing against the command. */
const OUTAGE_CODE =
  /^(OOM|LOADING|BUSY|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM)\b/
/** What ioredis says of its connection, where it has no type for it. */
const OUTAGE_MESSAGE = /^(Command timed out|Connection is closed|Stream isn't writeable|Socket timeout|connect )/
const OUTAGE_NAMES: ReadonlySet<string> = new Set(['MaxRetriesPerRequestError', 'AbortError', 'ConnectionClosedError'])

/** True for what Redis itself answered: it is there, and does not do that. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { name, message } = error
  if (isRefusal(error)) return OUTAGE_CODE.test(message)
  return OUTAGE_NAMES.has(name) || OUTAGE_MESSAGE.test(message) || 'syscall' in error
}

/** Runs work, with outages of `what` as Problem `unavailable`. */
export async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw !(error instanceof Problem) && isOutage(error) ? unavailable(what, error) : error
  }
}
