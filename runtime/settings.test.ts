import { expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { checkConfig } from './loader.ts'
import { settingsOf } from './settings.ts'

const WEBHOOK_SECRET = `whsec_${'A'.repeat(32)}`

test('a function is told of its own queue, and of secrets those alone that it names', () => {
  const config = readConfig({ WEBHOOK_SECRET })
  const backoff = { initialMs: 5, factor: 4, maxMs: 99 }
  const trigger = { type: 'queue', queue: 'q', concurrency: 1, maxAttempts: 7, backoff }
  const settings = settingsOf(config, checkConfig({ trigger, timeoutMs: 1 }))
  expect(settings).toMatchObject({ maxAttempts: 7, backoff, callbacks: true, webhookSecrets: [] })
  const named = settingsOf(config, checkConfig({ trigger, timeoutMs: 1, secrets: ['webhook'] }))
  expect(named.webhookSecrets).toEqual([WEBHOOK_SECRET])
})
