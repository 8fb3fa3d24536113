import { afterAll, describe, expect, test, vi } from 'vitest'
import { firstOf } from './found.ts'
import { hasOwnMongo, ownMongo } from './mongo.ts'
import { ask } from './own.ts'
import { hasOwnRedis, ownRedis } from './redis.ts'

describe('where a server comes from', () => {
  const found = { address: 'there', close: async () => {} }

  test('the first source that has one, and no later one is asked', async () => {
    const later = vi.fn<() => Promise<null>>(async () => null)
    expect(await firstOf('x', [async () => null, async () => found, later])).toBe(found)
    expect(later).not.toHaveBeenCalled()
  })

  test('a source that fails says why, and the next one is asked', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined)
    afterAll(() => warn.mockRestore())
    expect(await firstOf('x', [() => Promise.reject(new Error('no image')), async () => found])).toBe(found)
    expect(warn).toHaveBeenCalledWith('x: no image')
  })

  test('nowhere is null', async () => {
    expect(await firstOf('x', [async () => null])).toBeNull()
  })
})

describe.skipIf(!hasOwnRedis())('a Redis of its own', () => {
  test('is killed and starts again with its data, on its port; a frozen one answers when it is thawed', async () => {
    await using server = (await ownRedis(['--appendfsync', 'always']))!
    expect(await ask(server.port, 'SET a b\r\n')).toBe('+OK\r\n')
    await server.kill()
    expect(await ask(server.port, 'PING\r\n')).toBeNull()
    await server.start()
    expect(await ask(server.port, 'GET a\r\n')).toBe('$1\r\nb\r\n')
    server.freeze()
    const answer = ask(server.port, 'PING\r\n')
    server.thaw()
    expect(await answer).toBe('+PONG\r\n')
  })
})

describe.skipIf(!hasOwnMongo())('a MongoDB of its own', () => {
  test('listens until it is killed, and when it is started again', async () => {
    await using server = (await ownMongo())!
    expect(await ask(server.port)).toBe('')
    await server.kill()
    expect(await ask(server.port)).toBeNull()
    await server.start()
    expect(await ask(server.port)).toBe('')
  })
})
