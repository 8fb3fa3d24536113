import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

const LOGGER = new URL('logger.ts', import.meta.url).href

/** What a process with a logger `log` has left on stdout when it is over, as the messages of its lines. */
function saidBy(code: string): string[] {
  const whole = `
    import { setImmediate } from 'node:timers/promises'
    import { createLogger } from ${JSON.stringify(LOGGER)}
    const die = () => process.kill(process.pid, 'SIGKILL')
    const log = createLogger({ LOG_LEVEL: 'info', WORKER_ID: undefined, APP_VERSION: '1' })
    ${code}`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', whole], { encoding: 'utf8' })
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
}

it.each([
  ['its turn is over', `log.info('a'); log.info('b'); await setImmediate(); die()`, ['a', 'b']],
  ['something warns', `log.info('a'); log.warn('b'); die()`, ['a', 'b']],
  ['the process exits', `log.info('a'); process.exit()`, ['a']],
  ['the process ends by an error', `log.info('a'); throw new Error('no')`, ['a']],
  ['its turn logs much', `log.info('x'.repeat(70_000)); log.info('b'); die()`, ['x'.repeat(70_000)]],
])('a line leaves when %s', (_when, code, said) => {
  expect(saidBy(code)).toEqual(said)
})
