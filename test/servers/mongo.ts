/**
 * MongoDB for tests: `TEST_MONGODB_URI`, else a container of mongo:7.0, else a program of this machine. That program is
 * `TEST_MONGOD`, a command in which {port} and {data} stand for themselves, else mongod; as a replica set of one member
 * it is `TEST_MONGOD_SET`, else mongod.
 */
import { randomUUID } from 'node:crypto'
import { MongoClient } from 'mongodb'
import { firstOf, type Found, fromOwn, ofFile, startContainer } from './found.ts'
import { ask, type OwnServer, type Program, programOf, startOwn } from './own.ts'

const MONGOD = 'mongod --quiet --nounixsocket --bind_ip 127.0.0.1 --port {port} --dbpath {data}'
const MONGOD_SET = `${MONGOD} --replSet rs0`
const CONTAINER = {
  image: 'mongo:7.0',
  port: 27017,
  env: { MONGO_INITDB_ROOT_USERNAME: 'test', MONGO_INITDB_ROOT_PASSWORD: 'test' },
  // Once for the server that makes the user, once for the one that stays.
  ready: { line: /Waiting for connections/, times: 2 },
}

/** True once it takes writes; a member of no set is asked to make one. */
async function isPrimary(uri: string): Promise<boolean> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 1_000 })
  try {
    const { isWritablePrimary, setName } = await client.db('admin').command({ hello: 1 })
    if (!setName) await client.db('admin').command({ replSetInitiate: {} })
    return isWritablePrimary === true
  } catch {
    return false
  } finally {
    await client.close()
  }
}

export interface MongoOptions {
  /** A replica set of one member: what needs more than a standalone server (retryable writes, majorities) is there. */
  set?: boolean
}

function mongod({ set = false }: MongoOptions): Program | null {
  const command = set ? process.env['TEST_MONGOD_SET'] || MONGOD_SET : process.env['TEST_MONGOD'] || MONGOD
  const [file, ...args] = command.split(' ')
  const path = programOf(file!)
  if (!path) return null
  const uri = (port: number): string => `mongodb://127.0.0.1:${port}/test${set ? '?directConnection=true' : ''}`
  return {
    command: (port, data) => [
      path,
      ...args.map((arg) => arg.replaceAll('{port}', String(port)).replaceAll('{data}', data)),
    ],
    uri,
    answers: async (port) => (await ask(port)) !== null && (!set || (await isPrimary(uri(port)))),
  }
}

/** A server that the caller may kill, with no authentication; null where there is no program for it. */
export async function ownMongo(options: MongoOptions = {}): Promise<OwnServer | null> {
  const program = mongod(options)
  return program && (await startOwn(program))
}

/** Whether `ownMongo` gives one. */
export function hasOwnMongo(options: MongoOptions = {}): boolean {
  return mongod(options) !== null
}

type Source = () => Promise<Found<string> | null>

const fromEnvironment: Source = async () => {
  const address = process.env['TEST_MONGODB_URI']
  return address ? { address, close: async () => {} } : null
}

const fromContainer: Source = async () => {
  const { MONGO_INITDB_ROOT_USERNAME: user, MONGO_INITDB_ROOT_PASSWORD: password } = CONTAINER.env
  return await startContainer(CONTAINER, (host) => `mongodb://${user}:${password}@${host}/test?authSource=admin`)
}

const fromProgram: Source = async () => {
  const server = await ownMongo()
  return server && fromOwn(server, server.uri)
}

/** For a program that is no test file; what it gets it closes. */
export async function findMongo(): Promise<Found<string> | null> {
  return await firstOf('MongoDB', [fromEnvironment, fromContainer, fromProgram])
}

/** The URI of a server for this test file; null: there is none. */
export const mongoServer = ofFile(findMongo)

/** Null, and closed, where it is a server of another make that speaks as MongoDB does. */
function ifMongod(source: Source): Source {
  return async () => {
    const found = await source()
    if (!found) return null
    await using client = new MongoClient(found.address)
    const { process: name } = await client.db('admin').command({ serverStatus: 1 })
    if (name === 'mongod') return found
    await found.close()
    return null
  }
}

/** Mongod itself, for what other makes do in their own way (its planner); null: there is none. */
export const realMongo = ofFile(async () =>
  firstOf('mongod', [fromEnvironment, fromContainer, fromProgram].map(ifMongod)),
)

/** The same server with a database that nobody else has. Whoever makes it drops it. */
export function ownDatabase(uri: string): string {
  const url = new URL(uri)
  url.pathname = `/revela-test-${randomUUID()}`
  return url.href
}
