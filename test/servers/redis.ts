/**
 * Redis for tests: `TEST_REDIS_URL`, else a container of redis:7.4-alpine, else a program of this machine:
 * `TEST_REDIS_SERVER`, a path, else redis-server.
 */
import { firstOf, type Found, fromOwn, ofFile, startContainer } from './found.ts'
import { ask, type OwnServer, type Program, programOf, startOwn } from './own.ts'

const CONTAINER = {
  image: 'redis:7.4-alpine',
  port: 6379,
  command: ['redis-server', '--appendonly', 'yes'],
  ready: { line: /Ready to accept connections/, times: 1 },
}

function redisProgram(options: readonly string[]): Program | null {
  const path = programOf(process.env['TEST_REDIS_SERVER'] || 'redis-server')
  if (!path) return null
  const fixed = ['--bind', '127.0.0.1', '--appendonly', 'yes']
  return {
    command: (port, data) => [path, '--port', String(port), '--dir', data, ...fixed, ...options],
    uri: (port) => `redis://127.0.0.1:${port}/0`,
    // While it reads its file it answers with -LOADING.
    answers: async (port) => (await ask(port, 'PING\r\n'))?.startsWith('+PONG') ?? false,
  }
}

/** A server that the caller may kill, with an append-only file; `options` as on its command line. Null: no program. */
export async function ownRedis(options: readonly string[] = []): Promise<OwnServer | null> {
  const program = redisProgram(options)
  return program && (await startOwn(program))
}

/** Whether `ownRedis` gives one. */
export function hasOwnRedis(): boolean {
  return redisProgram([]) !== null
}

/** For a program that is no test file; what it gets it closes. */
export async function findRedis(): Promise<Found<string> | null> {
  return await firstOf('Redis', [
    async () => {
      const address = process.env['TEST_REDIS_URL']
      return address ? { address, close: async () => {} } : null
    },
    () => startContainer(CONTAINER, (host) => `redis://${host}/0`),
    async () => {
      const server = await ownRedis()
      return server && fromOwn(server, server.uri)
    },
  ])
}

/** The URL of a server for this test file; null: there is none. Others use it too: take a key prefix of your own. */
export const redisServer = ofFile(findRedis)
