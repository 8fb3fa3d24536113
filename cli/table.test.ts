import { expect, test } from 'vitest'
import type { FunctionHost } from '../runtime/host.ts'
import { checkConfig, type LoadedFunction } from '../runtime/loader.ts'
import { startTable } from './table.ts'

function loaded(name: string, config: unknown): LoadedFunction {
  const checked = checkConfig(config)
  const { trigger } = checked
  const concurrency = trigger.type === 'timer' ? 1 : trigger.concurrency
  const counts = { concurrency, running: 0, answered: new Map<number, number>() }
  return { name, folder: `/functions/${name}`, config: checked, host: {} as FunctionHost, error: null, ...counts }
}

const FUNCTIONS = [
  loaded('get-it', {
    trigger: { type: 'http', routes: ['GET /it/{id}', 'GET /it/{id}/more'], concurrency: 50 },
    timeoutMs: 35_000,
  }),
  loaded('make-it', {
    trigger: { type: 'queue', queue: 'making', concurrency: 2, maxAttempts: 4 },
    timeoutMs: 1_500,
    isolation: 'process',
  }),
  loaded('sweep', { trigger: { type: 'timer', everyMs: 15_000 }, timeoutMs: 60_000 }),
  loaded('nightly', { trigger: { type: 'timer', cron: '0 3 * * *' }, timeoutMs: 60_000 }),
]

test('the table has each route, queue and time, and what holds a function in check', () => {
  expect(startTable(FUNCTIONS, [])).toBe(
    `
function  trigger  route, queue or time  isolation             timeout  concurrency
get-it    http     GET /it/{id}          inline, not killable  35 s     50
                   GET /it/{id}/more
make-it   queue    making                process               1.5 s    2
sweep     timer    every 15 s            inline, not killable  60 s     1
nightly   timer    0 3 * * * (UTC)       inline, not killable  60 s     1`.trimStart(),
  )
})

test('a broken function is named with the first line of its error, and has no row', () => {
  const errors = [
    { name: 'make-it', error: `no such package\n    at load (/somewhere/loader.ts:1:1)` },
    { name: 'never-found', error: 'x'.repeat(1_000) },
  ]
  const lines = startTable(FUNCTIONS, errors).split('\n')
  expect(lines.filter((line) => /^make-it|making|somewhere/.test(line))).toEqual([])
  expect(lines.slice(-2)).toEqual(['BROKEN  make-it: no such package', `BROKEN  never-found: ${'x'.repeat(200)}`])
})

test('in development every function is in a container, and with none there is a head alone', () => {
  expect(startTable(FUNCTIONS, [], true)).not.toContain('not killable')
  expect(startTable([], []).split('\n')).toHaveLength(1)
})
