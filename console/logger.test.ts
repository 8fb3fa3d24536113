import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { expect, it } from 'vitest'

const LOGGER = new URL('logger.ts', import.meta.url).href

/** What a process with a logger `log` does. */
function run(code: string, stdout: number | 'pipe' = 'pipe') {
  const whole = `
    import { setImmediate } from 'node:timers/promises'
    import { createLogger } from ${JSON.stringify(LOGGER)}
    const die = () => process.kill(process.pid, 'SIGKILL')
    const log = createLogger({ LOG_LEVEL: 'info', WORKER_ID: undefined, APP_VERSION: '1' })
    ${code}`
  const args = ['--expose-gc', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', whole]
  return spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', stdout, 'pipe'] })
}

/** What it has left on stdout when it is over, as the messages of its lines. */
function saidBy(code: string): string[] {
  const lines = run(code)
    .stdout.split('\n')
    .filter((line) => line !== '')
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

it.runIf(existsSync('/dev/full'))(
  'a disk that takes no line costs lines, and a bounded memory, but not the process',
  () => {
    const full = openSync('/dev/full', 'w')
    const { status, stderr } = run(
      `
    log.warn('a')
    await setImmediate()
    for (let i = 0; i < 1_000; i++) log.warn('x'.repeat(64 * 1_024))
    gc()
    const { heapUsed, external } = process.memoryUsage()
    console.error(heapUsed + external < 48 * 1_024 * 1_024 ? 'small' : 'large')
    process.exit(7)`,
      full,
    )
    closeSync(full)
    expect({ status, stderr }).toEqual({ status: 7, stderr: 'small\n' })
  },
)
