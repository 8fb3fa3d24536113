/** What the arguments of each call look like: whoever took a container over may send any, and a store believes its types. */
import { z } from 'zod'
import type { Call } from '#shared/calls.ts'
import { GIVEN_UP, GIVEN_UP_MS, isGivenUpKey } from '#shared/given-up.ts'
import { DERIVED_FORMATS } from '#shared/message.ts'
import { isTaskCacheKey, TASK_CACHE_MS } from '#shared/read-task.ts'
import { STATUSES } from '#shared/task.ts'
import { callback, options, source, storedFile, taskDocument, taskError, variant } from '#shared/task-schema.ts'
import { VARIANT_NAME } from '#shared/variant.ts'

const text = z.string()
/** Unix ms, or a length in ms. */
const ms = z.number()
const count = z.int().min(0)

const message = z.object({
  queue: text,
  id: text,
  type: text,
  subject: text,
  time: text,
  data: z.unknown(),
  traceparent: text.optional(),
})

const query = z.object({
  status: z.enum(STATUSES).optional(),
  code: text.optional(),
  metadata: z.record(text, text).optional(),
  limit: count,
  before: text.optional(),
})

const change = z.object({
  progress: z.number().min(0).max(1).optional(),
  source: source.optional(),
  lastError: taskError.nullable().optional(),
  uncounted: count.optional(),
  nextCheckAt: ms.optional(),
})

const settlement = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('completed'),
    variants: z.array(variant),
    source,
    placeholder: text.nullable(),
    color: text.nullable(),
    warnings: z.array(text),
  }),
  z.object({ status: z.literal('failed'), error: taskError }),
])

const then = z.object({ message: message.optional(), nextCheckAt: ms.optional(), ttlMs: ms.nullable().optional() })

const keyRequest = z.object({
  key: text,
  apiKeyId: text,
  taskId: text,
  now: ms,
  lockedUntil: ms,
  expiresAt: ms,
})

type Args = [name: string, shape: z.ZodType][]

/** By position, with the names that the ports give them. */
const SHAPES: Record<Call, Args> = {
  'tasks.create': [
    ['task', taskDocument],
    ['message', message],
  ],
  'tasks.get': [['id', text]],
  'tasks.list': [['query', query]],
  'tasks.claim': [
    ['id', text],
    ['claim', z.object({ attempt: count, nextCheckAt: ms })],
  ],
  'tasks.advance': [
    ['id', text],
    ['fence', count],
    ['change', change],
  ],
  'tasks.settle': [
    ['id', text],
    ['fence', count],
    ['result', settlement],
    ['then', then.optional()],
  ],
  'tasks.recordDerived': [
    ['id', text],
    ['variant', text.regex(VARIANT_NAME)],
    ['format', z.enum(DERIVED_FORMATS)],
    ['file', storedFile],
  ],
  'tasks.recordCallback': [
    ['id', text],
    ['callback', callback],
    ['nextCheckAt', ms.nullable()],
  ],
  'tasks.discardOriginal': [['id', text]],
  'tasks.delete': [['id', text]],
  'tasks.due': [
    ['now', ms],
    ['limit', count],
  ],
  'tasks.postpone': [
    ['id', text],
    ['from', ms],
    ['to', ms],
    ['lastError', taskError.optional()],
  ],
  'tasks.expired': [
    ['now', ms],
    ['limit', count],
  ],
  'tasks.claimTick': [
    ['name', text],
    ['slot', ms],
  ],
  'tasks.reserveKey': [['request', keyRequest]],
  'tasks.renewKey': [
    ['key', text],
    ['apiKeyId', text],
    ['lockedUntil', ms],
  ],
  'tasks.releaseKey': [
    ['key', text],
    ['apiKeyId', text],
    ['held', z.strictObject({ taskId: text, lockedUntil: ms })],
  ],
  'tasks.prune': [['now', ms]],
  'tasks.readCursor': [['name', text]],
  'tasks.writeCursor': [
    ['name', text],
    ['value', text],
  ],
  'tasks.changes': [['id', text]],
  'queue.send': [['message', message]],
  'queue.remove': [
    ['queue', text],
    ['id', text],
  ],
  'cache.get': [['key', text]],
  // What functions keep in the cache, and no more of it: every key costs memory that all share.
  'cache.add': [
    ['key', text.refine(isTaskCacheKey)],
    ['value', taskDocument],
    ['ttlMs', ms.positive().max(TASK_CACHE_MS)],
  ],
  'cache.set': [
    ['key', text.refine(isGivenUpKey)],
    ['value', z.enum(GIVEN_UP)],
    ['ttlMs', ms.positive().max(GIVEN_UP_MS)],
  ],
  'links.of': [
    ['task', z.object({ id: text, options, source })],
    ['until', ms.optional()],
  ],
  'links.sign': [
    ['path', text],
    ['expiresAt', ms],
  ],
}

/** Each argument without what its shape does not know; those beyond are left out. Throws with the name of one that has another. */
export function checkArgs(call: Call, args: readonly unknown[]): unknown[] {
  return SHAPES[call].map(([name, shape], position) => {
    const { data, error } = shape.safeParse(args[position])
    if (!error) return data
    const { path, message: reason } = error.issues[0]!
    throw new Error(`${call} was called with a ${[name, ...path].join('.')} that it does not take: ${reason}`)
  })
}
