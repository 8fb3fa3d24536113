/** Task stores on MongoDB for tests: each with a database of its own, seen by two clients as by two processes. */
import { EventEmitter } from 'node:events'
import { type Db, MongoClient } from 'mongodb'
import { expect, onTestFinished } from 'vitest'
import type { Message } from '#shared/message.ts'
import { type MongoConnection, openMongo } from '../../runtime/drivers/mongodb/connection.ts'
import { type MongoTasks, mongoTasks } from '../../runtime/drivers/tasks/mongodb.ts'
import type { Notifier } from '../../runtime/drivers/tasks/notifier.ts'
import { ownDatabase } from '../servers/mongo.ts'
import type { OpenedTaskStore } from './tasks.ts'

/** Several in one process, as several processes have them: what one publishes, all hear. */
export function notifierHub() {
  const bus = new EventEmitter().setMaxListeners(0)
  const state = { connected: true, published: 0 }
  const notifier: Notifier = {
    publish: (taskId) => {
      state.published++
      // Later, as over a network.
      if (state.connected) setImmediate(() => bus.emit(taskId))
    },
    subscribe: (taskId, onChange) => {
      bus.on(taskId, onChange)
      return () => void bus.off(taskId, onChange)
    },
    get connected() {
      return state.connected
    },
  }
  return { notifier, state, subscriptions: () => bus.eventNames().length }
}

export interface MongoPair extends OpenedTaskStore {
  uri: string
  tasks: MongoTasks
  second: MongoTasks
  connections: [MongoConnection, MongoConnection]
  errors: unknown[]
}

export interface PairOptions {
  notifier?: Notifier
  send?: (message: Message) => Promise<void>
  pollMs?: number
  /** Longer than the product's, since the machine may be busy; that one in what is about outages. */
  callMs?: number
}

const PATIENT_MS = 20_000
/** No look comes by itself while a test runs. */
export const NEVER_MS = 600_000

/** `server` is the URI of a server; the database is dropped by `close`. */
export async function openPair(server: string, options: PairOptions = {}): Promise<MongoPair> {
  const { notifier, pollMs = 20, send, callMs = PATIENT_MS } = options
  const url = new URL(ownDatabase(server))
  url.searchParams.set('monitorCommands', 'true')
  const uri = url.href
  const sent: Message[] = []
  const errors: unknown[] = []
  const open = () => {
    const mongo = openMongo(uri, { callMs, onError: (error) => void errors.push(error) })
    const storeOptions = {
      mongo,
      pollMs,
      seldomMs: NEVER_MS,
      send: send ?? (async (message: Message) => void sent.push(message)),
      onError: (error: unknown) => void errors.push(error),
      ...(notifier ? { notifier } : {}),
    }
    return { mongo, tasks: mongoTasks(storeOptions) }
  }
  const [first, second] = [open(), open()]
  return {
    uri,
    tasks: first.tasks,
    second: second.tasks,
    connections: [first.mongo, second.mongo],
    errors,
    sent: async () => sent,
    close: async () => {
      await Promise.all([first, second].map(({ tasks }) => tasks.close()))
      await Promise.all([first, second].map(({ mongo }) => mongo.close()))
      await dropDatabase(uri)
    },
  }
}

export async function dropDatabase(uri: string): Promise<void> {
  await using client = new MongoClient(uri)
  await client.db().dropDatabase()
}

/** Asks until it is answered, as a client that obeys Retry-After does. */
export async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  let answer: { value: T } | null = null
  await expect
    .poll(async () => {
      answer = await call().then(
        (value) => ({ value }),
        () => null,
      )
      return answer
    })
    .not.toBeNull()
  return answer!.value
}

/** A database of the test's own, empty and dropped with the test. */
export async function database(server: string): Promise<Db> {
  const client = new MongoClient(ownDatabase(server))
  onTestFinished(async () => {
    await client.db().dropDatabase()
    await client.close()
  })
  return client.db()
}
