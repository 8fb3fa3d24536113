/** Task stores on MongoDB for tests: each with a database of its own, seen by two clients as by two processes. */
import { EventEmitter } from 'node:events'
import { MongoClient } from 'mongodb'
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
}

/** `server` is the URI of a server; the database is dropped by `close`. */
export async function openPair(server: string, { notifier, pollMs = 20, send }: PairOptions = {}): Promise<MongoPair> {
  const uri = ownDatabase(server)
  const sent: Message[] = []
  const errors: unknown[] = []
  const open = () => {
    const mongo = openMongo(uri, { onError: (error) => void errors.push(error) })
    const options = {
      mongo,
      pollMs,
      send: send ?? (async (message: Message) => void sent.push(message)),
      onError: (error: unknown) => void errors.push(error),
      ...(notifier ? { notifier } : {}),
    }
    return { mongo, tasks: mongoTasks(options) }
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

async function dropDatabase(uri: string): Promise<void> {
  await using client = new MongoClient(uri)
  await client.db().dropDatabase()
}
