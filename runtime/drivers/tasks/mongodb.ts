/** Tasks in MongoDB. Each change of a state is one atomic compare-and-set; no transaction, no change stream is needed. */
import { randomUUID } from 'node:crypto'
import type { Collection, Db, FindOptions } from 'mongodb'
import type { TaskStore } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { Problem, unanswered } from '#shared/errors.ts'
import type { Message } from '#shared/message.ts'
import type { Task } from '#shared/task.ts'
import { DURABLE, READ, RELAXED } from '../mongodb/concerns.ts'
import { type MongoConnection, within } from '../mongodb/connection.ts'
import { isDuplicate } from '../mongodb/errors.ts'
import { watchChanges } from './changes.ts'
import { documentOf, prepareTasks, type TaskDocument, taskOf } from './mongodb-document.ts'
import { flushes, readDurable } from './mongodb-durable.ts'
import { markKeysDeleted, mongoRecords } from './mongodb-keys.ts'
import { sharedPoll } from './mongodb-poll.ts'
import * as updates from './mongodb-updates.ts'
import type { Notifier } from './notifier.ts'
import { bestEffort } from './outbox.ts'
import { fenceOf } from './rules.ts'

const WHAT = 'task store'
/** How long a client may wait for its message to be taken, once its task is written. */
const SEND_MS = SECOND_MS
const POLL_MS = SECOND_MS
const SELDOM_MS = 10 * SECOND_MS

export interface MongoTasksOptions {
  mongo: MongoConnection
  /** Hands a message over after the write. It may fail or hang: the sweeper sends again what the document says is due. */
  send: (message: Message) => Promise<void>
  /** Tells the other processes of a change, and this one of theirs. Without one they poll. */
  notifier?: Notifier
  /** Told of messages that could not be sent, and of what the database is used without. */
  onError?: (error: unknown) => void
  /** Between two looks while nobody tells. */
  pollMs?: number
  /** The same while a notifier is connected, for what it may lose. */
  seldomMs?: number
}

export interface MongoTasks extends TaskStore {
  /** Queries for what may have changed, so far: it grows each second while anyone waits and no notifier is connected. */
  polls(): number
  close(): Promise<void>
}

const tasksOf = (db: Db): Collection<TaskDocument> => db.collection('tasks')

async function exists(db: Db, filter: updates.Change['filter']): Promise<boolean> {
  return (await tasksOf(db).findOne(filter, { ...READ, projection: { _id: 1 } })) !== null
}

interface Writer {
  /** True when the filter matched; those who wait for the task are told. */
  durable(id: string, change: updates.Change): Promise<boolean>
  relaxed(id: string, change: updates.Change): Promise<boolean>
}

function writer(mongo: MongoConnection, changed: (id: string) => void): Writer {
  const write =
    (concern: typeof DURABLE | typeof RELAXED): Writer['durable'] =>
    (id, { filter, update }) =>
      mongo.call(WHAT, async (db) => {
        const { matchedCount } = await tasksOf(db).updateOne(filter, update, concern)
        // Here, so that a change is told of also when its caller was told that the server is too slow.
        if (matchedCount === 1) changed(id)
        return matchedCount === 1
      })
  return { durable: write(DURABLE), relaxed: write(RELAXED) }
}

type Reads = Pick<TaskStore, 'get' | 'list' | 'due' | 'expired'>

function reads(mongo: MongoConnection, flush: (db: Db) => Promise<void>): Reads {
  const select = (query: (options: FindOptions, tasks: Collection<TaskDocument>) => Promise<TaskDocument[]>) =>
    mongo.call(WHAT, (db) =>
      readDurable(
        async (options) => (await query(options, tasksOf(db))).map(taskOf),
        () => flush(db),
      ),
    )
  return {
    get: async (id) => {
      const [task] = await select((options, tasks) => tasks.find({ _id: id }, { ...options, limit: 1 }).toArray())
      return task ?? null
    },
    list: (query) =>
      select((options, tasks) =>
        tasks.find(updates.listing(query), { ...options, sort: { _id: -1 }, limit: query.limit }).toArray(),
      ),
    due: async (now, limit) => {
      const options = { ...READ, sort: { nextCheckAt: 1 }, limit } as const
      const found = await mongo.call(WHAT, (db) => tasksOf(db).find(updates.beingDue(now), options).toArray())
      return found.map(taskOf)
    },
    expired: async (now, limit) => {
      const options = { ...READ, sort: { expiresAt: 1 }, limit, projection: { _id: 1 } } as const
      const found = await mongo.call(WHAT, (db) => tasksOf(db).find(updates.beingExpired(now), options).toArray())
      return found.map(({ _id }) => _id)
    },
  }
}

type Claims = Pick<TaskStore, 'claim'>

function claims(mongo: MongoConnection, changed: (id: string) => void): Claims {
  async function claimIn(db: Db, id: string, claim: Parameters<TaskStore['claim']>[1]): Promise<Task | null> {
    for (;;) {
      const { filter, update } = updates.claiming(id, claim, Date.now())
      const taken = await tasksOf(db).findOneAndUpdate(filter, update, { ...RELAXED, returnDocument: 'after' })
      if (taken) {
        changed(id)
        return taskOf(taken)
      }
      const found = await tasksOf(db).findOne({ _id: id }, READ)
      if (!found) return null
      const task = taskOf(found)
      // Not terminal: it was created between the two. Claim it.
      if (fenceOf(task) === 0) return task
    }
  }
  return {
    claim: async (id, claim) => {
      const task = await mongo.call(WHAT, (db) => claimIn(db, id, claim))
      return task && { task, fence: fenceOf(task) }
    },
  }
}

/** Wakes those who wait: by this process's own writes, by the notifier, and else by looking. */
function watching(mongo: MongoConnection, get: TaskStore['get'], options: MongoTasksOptions) {
  const { notifier, pollMs = POLL_MS, seldomMs = SELDOM_MS } = options
  const poll = sharedPoll({
    revisions: async (ids) => {
      const options = { ...READ, projection: { revision: 1 } }
      const found = await mongo.call(WHAT, (db) =>
        tasksOf(db)
          .find({ _id: { $in: ids } }, options)
          .toArray(),
      )
      return new Map(found.map(({ _id, revision }) => [_id, revision]))
    },
    onChange: (id) => changes.touch(id),
    isTold: () => notifier?.connected ?? false,
    everyMs: pollMs,
    seldomMs,
  })
  const changes = watchChanges({
    read: get,
    whileTaskWatched: (id) => {
      const unsubscribe = notifier?.subscribe(id, () => changes.touch(id))
      poll.add(id)
      return () => {
        poll.remove(id)
        unsubscribe?.()
      }
    },
  })
  const changed = (id: string): void => {
    changes.touch(id)
    notifier?.publish(id)
  }
  return { changes, poll, changed }
}

export function mongoTasks(options: MongoTasksOptions): MongoTasks {
  const { mongo, onError = () => {} } = options
  const owner = randomUUID()
  mongo.beforeUse((db) => prepareTasks(db, owner, onError))
  const flush = flushes()
  const read = reads(mongo, flush)
  const { changes, poll, changed } = watching(mongo, read.get, options)
  const write = writer(mongo, changed)
  const late = (): Error => new Error(`The message was not taken within ${SEND_MS} ms.`)
  const send = bestEffort((message) => within(SEND_MS, options.send(message), late), onError)

  return {
    ...mongoRecords(mongo, WHAT, flush),
    ...read,
    ...claims(mongo, changed),
    create: async (task, message) => {
      try {
        await mongo.call(WHAT, async (db) => {
          await tasksOf(db).insertOne(documentOf(task), DURABLE)
          changed(task.id)
        })
      } catch (error) {
        if (isDuplicate(error)) return 'exists'
        // What is under way on a connection that is given up may land when nobody asks for it any more.
        throw error instanceof Problem ? unanswered(error) : error
      }
      await send(message)
      return 'created'
    },
    advance: (id, fence, change) => write.relaxed(id, updates.advancing(id, fence, change, Date.now())),
    settle: async (id, fence, result, then = {}) => {
      const settled = await write.durable(id, updates.settling(id, fence, result, then, Date.now()))
      if (settled) await send(then.message)
      return settled
    },
    recordDerived: async (id, variant, format, file) =>
      (await write.durable(id, updates.deriving(id, variant, format, file))) ||
      (await mongo.call(WHAT, (db) => exists(db, { _id: id, 'variants.name': variant }))),
    recordCallback: (id, callback, nextCheckAt) =>
      write.durable(id, updates.callingBack(id, callback, nextCheckAt, Date.now())),
    discardOriginal: async (id) => {
      const discarded = await write.durable(id, updates.discarding(id, Date.now()))
      // Second: where it is not reached the task is looked at once more.
      const left = await write.durable(id, updates.leaving(id))
      return discarded || left || (await mongo.call(WHAT, (db) => exists(db, { _id: id })))
    },
    delete: async (id) => {
      const found = await mongo.call(WHAT, async (db) => {
        if (!(await exists(db, { _id: id }))) return null
        await markKeysDeleted(db, id)
        const document = await tasksOf(db).findOneAndDelete({ _id: id }, DURABLE)
        changed(id)
        return document
      })
      return found && taskOf(found)
    },
    postpone: async (id, from, to, lastError) => {
      const { filter, update } = updates.postponing(id, from, to, lastError)
      const { matchedCount } = await mongo.call(WHAT, (db) => tasksOf(db).updateOne(filter, update, RELAXED))
      return matchedCount === 1
    },
    changes: (id, signal) => changes.watch(id, signal),
    polls: () => poll.count(),
    close: async () => {
      changes.close()
      poll.close()
    },
  }
}
