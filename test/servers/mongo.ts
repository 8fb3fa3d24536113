/**
 * MongoDB for tests: `TEST_MONGODB_URI`, else a container of mongo:7.0, else a program of this machine. That program is
 * `TEST_MONGOD`, a command in which {port} and {data} stand for themselves, else mongod.
 */
import { randomUUID } from 'node:crypto'
import { firstOf, type Found, fromOwn, ofFile, startContainer } from './found.ts'
import { ask, type OwnServer, type Program, programOf, startOwn } from './own.ts'

const MONGOD = 'mongod --quiet --nounixsocket --bind_ip 127.0.0.1 --port {port} --dbpath {data}'
const CONTAINER = {
  image: 'mongo:7.0',
  port: 27017,
  env: { MONGO_INITDB_ROOT_USERNAME: 'test', MONGO_INITDB_ROOT_PASSWORD: 'test' },
  // Once for the server that makes the user, once for the one that stays.
  ready: { line: /Waiting for connections/, times: 2 },
}

function mongod(): Program | null {
  const [file, ...args] = (process.env['TEST_MONGOD'] || MONGOD).split(' ')
  const path = programOf(file!)
  if (!path) return null
  return {
    command: (port, data) => [
      path,
      ...args.map((arg) => arg.replaceAll('{port}', String(port)).replaceAll('{data}', data)),
    ],
    uri: (port) => `mongodb://127.0.0.1:${port}/test`,
    answers: async (port) => (await ask(port)) !== null,
  }
}

/** A server that the caller may kill, with no authentication; null where there is no program for it. */
export async function ownMongo(): Promise<OwnServer | null> {
  const program = mongod()
  return program && (await startOwn(program))
}

/** Whether `ownMongo` gives one. */
export function hasOwnMongo(): boolean {
  return mongod() !== null
}

export async function mongoContainer(): Promise<Found<string> | null> {
  const { MONGO_INITDB_ROOT_USERNAME: user, MONGO_INITDB_ROOT_PASSWORD: password } = CONTAINER.env
  return await startContainer(CONTAINER, (host) => `mongodb://${user}:${password}@${host}/test?authSource=admin`)
}

/** For a program that is no test file; what it gets it closes. */
export async function findMongo(): Promise<Found<string> | null> {
  return await firstOf('MongoDB', [
    async () => {
      const address = process.env['TEST_MONGODB_URI']
      return address ? { address, close: async () => {} } : null
    },
    mongoContainer,
    async () => {
      const server = await ownMongo()
      return server && fromOwn(server, server.uri)
    },
  ])
}

/** The URI of a server for this test file; null: there is none. */
export const mongoServer = ofFile(findMongo)

/** The same server with a database that nobody else has. Whoever makes it drops it. */
export function ownDatabase(uri: string): string {
  const url = new URL(uri)
  url.pathname = `/revela-test-${randomUUID()}`
  return url.href
}
