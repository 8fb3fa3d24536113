/** A start that fails leaves nothing locked: the next attempt, in the same process, goes on in the same folder. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MIB } from '#shared/limits.ts'
import { readConfig } from '../../runtime/config.ts'
import { startRuntime } from '../../runtime/main.ts'
import { openLogs } from '../../telemetry/logs.ts'
import { temporaryFolder } from '../drain/serving.ts'
import { FIXTURES } from '../runtime/function.ts'
import { recordedLog } from '../runtime/log.ts'
import { storageEnv } from '../runtime/runtime.ts'
import { testLoki } from './loki.ts'

test('a port that is taken', async () => {
  await using folder = await temporaryFolder()
  await using loki = await testLoki()
  const taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  try {
    const root = join(folder.path, 'logs')
    const { port } = taken.address() as AddressInfo
    const own = { FUNCTIONS: 'inline', SERVER_PORT: String(port), LOKI_URL: loki.url, LOG_SPOOL_PATH: root }
    const config = readConfig({ ...own, ...storageEnv(folder.path) })
    const { logger } = recordedLog()
    await expect(startRuntime(config, { functionsFolder: FIXTURES, logger })).rejects.toThrow('EADDRINUSE')
    const next = openLogs({ url: loki.url, root, bytesMax: MIB, service: 'revela', pauses: { everyMs: 5 } })
    next.start(logger)
    next.keep(`{"level":30,"time":"2026-01-01T00:00:00.000Z","msg":"next"}\n`)
    await loki.has(1)
    await next.close(1_000)
    expect(loki.taken[0]!.labels).toMatchObject({ service: 'revela', replica: '0' })
  } finally {
    taken.close()
  }
})
