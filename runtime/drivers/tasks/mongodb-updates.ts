/**
 * The rules of rules.ts as MongoDB's filters and updates, each one atomic: what a filter does not match is refused. The
 * test beside it holds the two against each other.
 */
import type { Filter, UpdateFilter } from 'mongodb'
import type { Advance, Settlement, SettleOptions, TaskQuery } from '#shared/bindings.ts'
import type { DerivedFormat } from '#shared/message.ts'
import { type Callback, isTerminal, type Status, STATUSES, type TaskError } from '#shared/task.ts'
import type { StoredFile } from '#shared/variant.ts'
import type { TaskDocument } from './mongodb-document.ts'
import { isEmpty } from './rules.ts'

type Document = TaskDocument

export interface Change {
  filter: Filter<Document>
  update: UpdateFilter<Document>
}

export const TERMINAL: Status[] = STATUSES.filter((status) => isTerminal({ status }))
const OPEN: Status[] = STATUSES.filter((status) => !isTerminal({ status }))

const rfc3339 = (ms: number): string => new Date(ms).toISOString()

const seen = { $inc: { revision: 1 } }

export function claiming(id: string, claim: { attempt: number; nextCheckAt: number }, now: number): Change {
  return {
    filter: { _id: id, status: { $in: OPEN } },
    update: {
      $set: { status: 'processing', nextCheckAt: claim.nextCheckAt, updatedAt: rfc3339(now) },
      $max: { attempts: claim.attempt },
      $inc: { deliveries: 1, revision: 1 },
    },
  }
}

/** A pending task has no delivery, so that fence 0 matches nothing. */
const held = (id: string, fence: number): Filter<Document> => ({ _id: id, status: 'processing', deliveries: fence })

export function advancing(id: string, fence: number, change: Advance, now: number): Change {
  const { nextCheckAt, ...shown } = change
  const { progress, source, lastError, uncounted } = shown
  const $set = {
    ...(progress === undefined ? {} : { progress }),
    ...(source === undefined ? {} : { source }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(uncounted === undefined ? {} : { uncounted }),
    ...(nextCheckAt === undefined ? {} : { nextCheckAt }),
    ...(isEmpty(shown) ? {} : { updatedAt: rfc3339(now) }),
  }
  return { filter: held(id, fence), update: { $set, ...seen } }
}

export function settling(id: string, fence: number, result: Settlement, then: SettleOptions, now: number): Change {
  const { message, nextCheckAt, ttlMs } = then
  const ended = {
    completedAt: rfc3339(now),
    updatedAt: rfc3339(now),
    expiresAt: ttlMs === undefined || ttlMs === null ? null : rfc3339(now + ttlMs),
    nextCheckAt: nextCheckAt ?? (message ? now : null),
  }
  const filter = held(id, fence)
  if (result.status === 'failed') {
    return { filter, update: { $set: { ...ended, status: 'failed', error: result.error }, ...seen } }
  }
  const { variants, source, placeholder, color, warnings } = result
  const outcome = { variants, source, placeholder, color, warnings }
  return { filter, update: { $set: { ...ended, ...outcome, status: 'completed', progress: 1, error: null }, ...seen } }
}

export function deriving(id: string, variant: string, format: DerivedFormat, file: StoredFile): Change {
  return {
    filter: { _id: id, variants: { $elemMatch: { name: variant, [`derived.${format}`]: { $exists: false } } } },
    update: { $set: { [`variants.$.derived.${format}`]: file }, ...seen },
  }
}

export function callingBack(id: string, callback: Callback, nextCheckAt: number | null, now: number): Change {
  return {
    filter: { _id: id, status: { $in: TERMINAL }, 'callback.status': 'pending' },
    update: { $set: { callback, nextCheckAt, updatedAt: rfc3339(now) }, ...seen },
  }
}

export function discarding(id: string, now: number): Change {
  return {
    filter: { _id: id, 'source.key': { $ne: null } },
    update: { $set: { 'source.key': null, updatedAt: rfc3339(now) }, ...seen },
  }
}

/** What a discard leaves to do: nothing, unless a callback. No reader sees it: the revision stays. */
export function leaving(id: string): Change {
  const filter = { _id: id, status: { $in: TERMINAL }, 'callback.status': { $ne: 'pending' as const } }
  return { filter: { ...filter, nextCheckAt: { $gt: 0 } }, update: { $set: { nextCheckAt: null } } }
}

/** No reader sees any of it: the revision stays. */
export function postponing(id: string, from: number, to: number, lastError?: TaskError): Change {
  const $set = { nextCheckAt: to, ...(lastError ? { lastError } : {}) }
  return { filter: { _id: id, nextCheckAt: from }, update: { $set } }
}

/** `$and` over single pairs, since not every server knows `$all` over subdocuments; the index serves the first. */
export function listing({ status, code, metadata = {}, before }: TaskQuery): Filter<Document> {
  const pairs = Object.entries(metadata).map(([key, value]) => ({ metadata: { key, value } }))
  return {
    ...(before === undefined ? {} : { _id: { $lt: before } }),
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { 'error.code': code }),
    ...(pairs.length > 0 ? { $and: pairs } : {}),
  }
}

/** The lower bound is what lets the server use a partial index: a query must say that it asks for nothing else. */
export function beingDue(now: number): Filter<Document> {
  return { nextCheckAt: { $gt: 0, $lte: now } }
}

export function beingExpired(now: number): Filter<Document> {
  return { expiresAt: { $gt: '', $lt: rfc3339(now) }, status: { $in: TERMINAL } }
}
