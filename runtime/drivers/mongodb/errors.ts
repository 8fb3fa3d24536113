/** Tells a MongoDB that cannot serve right now from a command that is wrong. */
import { Problem, taskStoreAway } from '#shared/errors.ts'

/** The driver's own errors that say nothing against the command. By name, since the driver is loaded late. */
const OUTAGE_NAMES: ReadonlySet<string> = new Set([
  'MongoClientClosedError',
  'MongoExpiredSessionError',
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoNotConnectedError',
  'MongoOperationTimeoutError',
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoServerClosedError',
  'MongoServerSelectionError',
  'MongoStalePrimaryError',
  'MongoTopologyClosedError',
  'MongoWaitQueueTimeoutError',
  // The write is done, but not as durable as it was asked for: whoever asked must not count on it.
  'MongoWriteConcernError',
])

/** Of the socket: where the driver waits to write more it hands them on as they are. */
const SOCKET_CODES: ReadonlySet<unknown> = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
])

/** Codes of the server (https://github.com/mongodb/mongo/blob/v7.0/src/mongo/base/error_codes.yml) of the same kind. */
const OUTAGE_CODES: ReadonlySet<number> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  13, // Unauthorized
  18, // AuthenticationFailed
  24, // LockTimeout
  50, // MaxTimeMSExpired
  64, // WriteConcernFailed
  89, // NetworkTimeout
  91, // ShutdownInProgress
  100, // UnsatisfiableWriteConcern
  112, // WriteConflict
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  189, // PrimarySteppedDown
  202, // NetworkInterfaceExceededTimeLimit
  262, // ExceededTimeLimit
  9001, // SocketException
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11601, // Interrupted
  11602, // InterruptedDueToReplStateChange
  13388, // StaleConfig
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
  14031, // OutOfDiskSpace
])

const DUPLICATE_KEY = 11_000

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

export function hasCode(error: unknown, ...codes: number[]): boolean {
  const code = codeOf(error)
  return typeof code === 'number' && codes.includes(code)
}

export function isDuplicate(error: unknown): boolean {
  return hasCode(error, DUPLICATE_KEY)
}

export function isOutage(error: unknown): boolean {
  const code = codeOf(error)
  if (SOCKET_CODES.has(code)) return true
  if (!(error instanceof Error) || !error.name.startsWith('Mongo')) return false
  return OUTAGE_NAMES.has(error.name) || (typeof code === 'number' && OUTAGE_CODES.has(code))
}

/** Runs work, with outages of `what` as Problem `unavailable`. */
export async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw !(error instanceof Problem) && isOutage(error) ? taskStoreAway(what, error) : error
  }
}
