/** Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): one key, one task, however often the request is sent. */
import { createHash } from 'node:crypto'
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { IDEMPOTENCY_KEY_MAX, IDEMPOTENCY_LOCK_MS, IDEMPOTENCY_TTL_MS } from '#shared/limits.ts'
import { newTaskId, type Task } from '#shared/task.ts'
import { invalid, shown } from '#shared/options/faults.ts'
import type { Asked } from '#shared/options/options.ts'
import { isStale } from './stale.ts'

const RENEW_EVERY_MS = IDEMPOTENCY_LOCK_MS / 3
const RETRY_AFTER_SECONDS = 2

/** Why a value is no bare key; null when it is one. Header lines that were sent twice arrive as one, with a comma. */
function faultOfBare(value: string): string | null {
  if (value.includes(',')) return `Expected one key, got a list; a key with a comma is quoted: ${shown(value)}.`
  if (!value.includes('"')) return null
  return `Expected a bare key without quotes, or all of it in quotes with \\" for one inside, got ${shown(value)}.`
}

/**
 * The key as text: bare, or quoted as a string of RFC 8941 §3.3.3; null where the header is not there. The header is a
 * single item: of two keys neither is taken.
 */
export function idempotencyKey(header: string | undefined): string | null {
  if (header === undefined) return null
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header)
  const key = quoted ? quoted[1]!.replace(/\\(["\\])/g, '$1') : header
  const fault = quoted ? null : faultOfBare(header)
  if (fault !== null) throw invalid('Idempotency-Key', fault)
  if (key.length < 1 || key.length > IDEMPOTENCY_KEY_MAX) {
    const detail = `Expected 1 to ${IDEMPOTENCY_KEY_MAX} characters, quoted or bare, got ${key.length}.`
    throw invalid('Idempotency-Key', detail)
  }
  return key
}

/** The right to make a key's task, as long as it is held. */
export interface Claim {
  taskId: string
  /** The id was given to an earlier request, which may have stored a file under it. */
  takenOver: boolean
  /** False once the lock may have passed to another request. */
  held(): boolean
  /** Ends the renewal; the task is there, and decides from now on. */
  keep(): void
  /** Ends the renewal: whether the task is there, or will be, is not known. The next request under the key gets its id. */
  lapse(): void
  /** Ends the renewal and frees the key: true when no other request had it, and none can get its id any more. */
  release(): Promise<boolean>
}

export type Reservation = { claim: Claim } | { replay: Task }

function hold(env: Bindings, key: string, apiKeyId: string, taskId: string, fresh: boolean, until: number): Claim {
  const { tasks, settings, invocation } = env
  let lockedUntil = until
  const held = (): boolean => Date.now() < lockedUntil
  const renew = async (until: number): Promise<void> => {
    await tasks.renewKey(key, apiKeyId, until)
    lockedUntil = until
  }
  let lapsed = false
  const timer = setInterval(() => {
    // Renewing a lock that has run out would take it from whoever has it now.
    if (!held()) return clearInterval(timer)
    const next = Date.now() + IDEMPOTENCY_LOCK_MS
    renew(next).catch((error: unknown) => {
      invocation.log.warn('an idempotency key could not be renewed', { err: error })
    })
  }, RENEW_EVERY_MS)
  timer.unref()
  return {
    taskId,
    takenOver: !fresh,
    held,
    keep: () => clearInterval(timer),
    lapse: () => {
      clearInterval(timer)
      lapsed = true
    },
    release: async () => {
      clearInterval(timer)
      // Whoever had the id before may live, and its write land late: a key that is freed would then have two tasks. The
      // lock runs out instead, and the next request gets the same id, as long as a task may be made of it.
      const free = fresh || isStale(taskId, settings)
      // Only the store can say that it is ours: another machine's clock may have ended our lock before ours does.
      return free && !lapsed && held() && (await tasks.releaseKey(key, apiKeyId, { taskId, lockedUntil }))
    },
  }
}

/** Reserves a key before the body is read. Rejects with 409 while its request runs, with 410 when its task was deleted. */
export async function reserve(env: Bindings, key: string): Promise<Reservation> {
  const { tasks, invocation } = env
  const { caller } = invocation
  const apiKeyId = caller.kind === 'key' ? caller.keyId : ''
  const taskId = newTaskId()
  const now = Date.now()
  const lockedUntil = now + IDEMPOTENCY_LOCK_MS
  const expiresAt = now + IDEMPOTENCY_TTL_MS
  const reservation = await tasks.reserveKey({ key, apiKeyId, taskId, now, lockedUntil, expiresAt })
  if (reservation.deleted) throw deleted()
  const fresh = reservation.owned && reservation.taskId === taskId
  const task = fresh ? null : await tasks.get(reservation.taskId)
  if (task) return { replay: task }
  if (reservation.owned) return { claim: hold(env, key, apiKeyId, reservation.taskId, fresh, lockedUntil) }
  throw new Problem('request-in-progress', 'A request with this Idempotency-Key is still running.', {
    headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
  })
}

export function deleted(): Problem {
  return new Problem('task-deleted', 'The task of this Idempotency-Key was deleted.')
}

/** What must be the same for a request to be the same: the image and everything that decides about the task. */
export function fingerprintOf(source: string, { options, metadata, callbackUrl }: Asked): string {
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  const { variants, format, background, original, access } = options
  const boxes = variants.map((v) => [v.name, v.width, v.height, v.fit, v.position, v.format, v.quality])
  const text = JSON.stringify([source, boxes, format, background, original, access, pairs, callbackUrl])
  return createHash('sha256').update(text).digest('hex')
}

export function refuseOther(task: Task, fingerprint: string): void {
  if (task.fingerprint === fingerprint) return
  throw new Problem('idempotency-key-reused', 'This Idempotency-Key was used with another image or other options.')
}
