/** What goes over the wire: how long the server may take for each command, and how sure it must be of each write. */
import type { CommandStartedEvent } from 'mongodb'
import { describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { openMongo } from '../../runtime/drivers/mongodb/connection.ts'
import { mongoTasks } from '../../runtime/drivers/tasks/mongodb.ts'
import { hasOwnMongo, mongoServer, ownDatabase, ownMongo } from '../servers/mongo.ts'
import { dropDatabase } from './mongo-store.ts'
import { CLAIM, completion, keyRequest, sampleDerived, sampleMessage, sampleTask } from './samples.ts'

type Command = Record<string, unknown>
type Calls = Record<string, (tasks: TaskStore) => Promise<unknown>>

const WRITES = ['insert', 'update', 'delete', 'findAndModify']
const isWrite = (command: Command): boolean => WRITES.some((name) => name in command)

const task = sampleTask()
const { id } = task
const reserved = keyRequest()
const { key, apiKeyId, lockedUntil, now } = reserved
const callback = { url: 'https://a.test/', status: 'pending', attempts: 1, lastStatus: null } as const

/** In the order of a task's life. The methods of whose outcome a client is told … */
const DURABLE: Calls = {
  reserveKey: (tasks) => tasks.reserveKey(reserved),
  releaseKey: (tasks) => tasks.releaseKey(key, apiKeyId, reserved),
  create: (tasks) => tasks.create(task, sampleMessage(task)),
  settle: async (tasks) => {
    await tasks.claim(id, CLAIM)
    return await tasks.settle(id, 1, completion(id))
  },
  recordDerived: (tasks) => tasks.recordDerived(id, '10x10', 'webp', sampleDerived(id)),
  recordCallback: (tasks) => tasks.recordCallback(id, callback, 1),
  discardOriginal: (tasks) => tasks.discardOriginal(id),
  claimTick: (tasks) => tasks.claimTick('sweep', now),
  prune: (tasks) => tasks.prune(now),
  delete: (tasks) => tasks.delete(id),
}
/** … those that are done again when they are lost … */
const RELAXED: Calls = {
  renewKey: async (tasks) => {
    await tasks.reserveKey(keyRequest({ key: 'renewed' }))
    await tasks.renewKey('renewed', apiKeyId, lockedUntil)
  },
  claim: (tasks) => tasks.claim(id, CLAIM),
  advance: (tasks) => tasks.advance(id, 1, { progress: 0.5 }),
  postpone: (tasks) => tasks.postpone(id, 1, 2),
  writeCursor: (tasks) => tasks.writeCursor('gc', 'a'),
}
/** … and those that only read. */
const READS: Calls = {
  readCursor: (tasks) => tasks.readCursor('gc'),
  get: (tasks) => tasks.get(id),
  list: (tasks) => tasks.list({ limit: 1 }),
  due: (tasks) => tasks.due(now, 1),
  expired: (tasks) => tasks.expired(now, 1),
}

const server = await mongoServer()

/** Every command that was sent, by the method that sent it. */
async function commandsOf(uri: string): Promise<Map<string, Command[]>> {
  const url = new URL(uri)
  url.searchParams.set('monitorCommands', 'true')
  const mongo = openMongo(url.href)
  const tasks = mongoTasks({ mongo, send: async () => {} })
  const commands = new Map<string, Command[]>()
  let calling: string | null = null
  await mongo.call('test', async ({ client }) => {
    client.on('commandStarted', ({ command }: CommandStartedEvent) => {
      if (calling !== null) commands.set(calling, [...(commands.get(calling) ?? []), command])
    })
  })
  for (const [name, call] of Object.entries({ ...READS, ...RELAXED, ...DURABLE })) {
    calling = name
    await call(tasks)
  }
  calling = null
  await tasks.close()
  await mongo.close()
  await dropDatabase(uri)
  return commands
}

const writesOf = (commands: Map<string, Command[]>, name: string): Command[] =>
  (commands.get(name) ?? []).filter(isWrite)

describe.skipIf(server === null)('on a MongoDB', () => {
  test('no command is without a limit; what a client is told of is journaled by a majority, the rest is not', async () => {
    const commands = await commandsOf(ownDatabase(server!))
    expect([...commands.keys()]).toEqual(Object.keys({ ...READS, ...RELAXED, ...DURABLE }))
    for (const command of [...commands.values()].flat()) expect(command).toMatchObject({ maxTimeMS: 1_500 })
    const durable = { w: 'majority', j: true, wtimeout: 1_500 }
    for (const name of Object.keys(DURABLE)) {
      expect([name, writesOf(commands, name).at(-1)?.['writeConcern']]).toEqual([name, durable])
    }
    for (const name of Object.keys(RELAXED)) {
      expect([name, writesOf(commands, name).at(-1)?.['writeConcern']]).toEqual([name, { w: 1, j: false }])
    }
    for (const name of Object.keys(READS)) expect([name, writesOf(commands, name)]).toEqual([name, []])
  })
})

describe.skipIf(!hasOwnMongo({ set: true }))('on a replica set', () => {
  test('a write to one document can be sent again by the driver, and is done once', async () => {
    await using own = (await ownMongo({ set: true }))!
    const commands = await commandsOf(ownDatabase(own.uri))
    const many = new Set(['prune', 'delete'])
    for (const name of Object.keys({ ...RELAXED, ...DURABLE }).filter((each) => !many.has(each))) {
      for (const command of writesOf(commands, name))
        expect([name, command]).toEqual([name, expect.objectContaining({ txnNumber: expect.anything() })])
    }
    expect(commands.size).toBe(Object.keys({ ...READS, ...RELAXED, ...DURABLE }).length)
  })
})
