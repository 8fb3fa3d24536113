import { expect, test } from 'vitest'
import { openLocal } from './local.ts'
import { ConfigError } from '#shared/errors.ts'
import { readConfig } from '../runtime/config.ts'

const MONGODB_URI = 'mongodb://127.0.0.1:1/db'

test.each([
  [{ MONGODB_URI }, /^REDIS_URL: expected with MONGODB_URI, or else REDIS_HOST/],
  // A port and a password name no server.
  [{ MONGODB_URI, REDIS_PORT: '6379', REDIS_PASSWORD: 'secret' }, /^REDIS_URL: /],
  [{ REDIS_URL: 'redis://127.0.0.1:1' }, /^MONGODB_URI: expected with REDIS_URL or REDIS_HOST/],
  [{ REDIS_HOST: 'redis' }, /^MONGODB_URI: /],
])('one server without the other is named: %j', async (env, message) => {
  const opening = openLocal(readConfig(env))
  await expect(opening).rejects.toBeInstanceOf(ConfigError)
  await expect(opening).rejects.toThrow(message)
})

test('neither server need be there: what they cannot do is refused in time, the cache is a miss, and it closes', async () => {
  const errors: unknown[] = []
  const config = readConfig({ MONGODB_URI, REDIS_URL: 'redis://127.0.0.1:1', RATE_LIMIT: '1/1h' })
  const bindings = await openLocal(config, { onError: (error) => errors.push(error) })
  const unavailable = { code: 'unavailable', status: 503 }
  await expect(bindings.tasks.get('a')).rejects.toMatchObject(unavailable)
  await expect(bindings.queue.stats('q')).rejects.toMatchObject(unavailable)
  expect(await bindings.cache.get('a')).toBeUndefined()
  await bindings.rateLimit!('client')
  await expect(bindings.rateLimit!('client')).rejects.toMatchObject({ code: 'too-many-requests' })
  await bindings.close()
  expect(errors.map((error) => (error as NodeJS.ErrnoException).code)).toContain('ECONNREFUSED')
})
