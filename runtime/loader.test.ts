import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { type Problem, problemResponse } from '#shared/errors.ts'
import { verdictOf } from '#shared/verdict.ts'
import { FIXTURES } from '../test/runtime/function.ts'
import { inlineHost, checkApp, type FunctionHost } from './host.ts'
import { checkConfig, discover, indexOf } from './loader.ts'
import { loadAll } from './targets/node/load-later.ts'

const CONFIGS = fileURLToPath(new URL('../test/runtime/discovery/fixtures/functions', import.meta.url))
const noHost = {} as FunctionHost

/** A folder of functions that have a config and nothing else. */
async function configs(all: Record<string, object>): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'revela-functions-'))
  await writeFile(join(path, 'package.json'), '{ "type": "module" }')
  for (const [name, config] of Object.entries(all)) {
    await mkdir(join(path, name))
    const text = `export default ${JSON.stringify({ timeoutMs: 1_000, ...config })}`
    await writeFile(join(path, name, 'config.ts'), text)
  }
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true }) }
}

describe('discovery', () => {
  it('reads each folder, and names each broken one with its reason; the rest is there', async () => {
    const { functions, broken } = await discover({ folder: CONFIGS, hostFor: () => noHost })
    expect(functions.map(({ name, concurrency, error }) => ({ name, concurrency, error }))).toEqual([
      { name: 'good', concurrency: 1_000, error: null },
    ])
    const errors = Object.fromEntries(broken.map(({ name, error }) => [name, error]))
    expect(Object.keys(errors)).toEqual([
      'empty',
      'invalid',
      'misspelled-route',
      'no-config',
      'throwing',
      'unknown-member',
    ])
    expect(errors.empty).toMatch(/^config\.ts: default export: /)
    expect(errors.invalid).toMatch(/trigger\.queue: expected a queue name/)
    expect(errors.invalid).toMatch(/trigger\.concurrency: .*trigger\.maxAttempts: .*timeoutMs: /)
    expect(errors['misspelled-route']).toMatch(/trigger\.routes\.0: expected a route such as GET \/tasks/)
    expect(errors.throwing).toBe('no config today')
    expect(errors['unknown-member']).toMatch(/memory/)
    expect(errors['unknown-member']).toMatch(/either everyMs or cron/)
  })

  it('of the names that are asked for alone; one that is not there is broken', async () => {
    const names = ['good', 'nowhere']
    const { functions, broken } = await discover({ folder: CONFIGS, names, hostFor: () => noHost })
    expect(functions.map(({ name }) => name)).toEqual(['good'])
    expect(broken.map(({ name }) => name)).toEqual(['nowhere'])
  })

  it('imports no index.ts: one that throws or exits is found all the same', async () => {
    const names = ['broken-throws', 'broken-exits', 'probe']
    const { functions, broken } = await discover({ folder: FIXTURES, names, hostFor: () => noHost })
    expect([functions.map(({ name }) => name), broken]).toEqual([names, []])
  })

  it('breaks the second of two that would answer the same, and names the first', async () => {
    await using folder = await configs({
      'a-list': { trigger: { type: 'http', routes: ['GET /a', 'GET /a/{id}'] } },
      'b-other': { trigger: { type: 'http', routes: ['GET /b', 'GET /a/{name}'] } },
      'c-method': { trigger: { type: 'http', routes: ['POST /a/{id}', 'GET /a/b', 'GET /b'] } },
      'd-queue': { trigger: { type: 'queue', queue: 'q', concurrency: 1, maxAttempts: 1 } },
      'e-queue': { trigger: { type: 'queue', queue: 'q', concurrency: 1, maxAttempts: 1 } },
      'f-timer': { trigger: { type: 'timer', everyMs: 1_000 } },
      'g-timer': { trigger: { type: 'timer', everyMs: 1_000 } },
    })
    const { functions, broken } = await discover({ folder: folder.path, hostFor: () => noHost })
    // What a broken one asked for as well is still free.
    expect(functions.map(({ name }) => name)).toEqual(['a-list', 'c-method', 'd-queue', 'f-timer', 'g-timer'])
    expect(broken).toEqual([
      { name: 'b-other', error: "config.ts: GET /a/{name} is a-list's already" },
      { name: 'e-queue', error: "config.ts: the queue q is d-queue's already" },
    ])
  })

  it('breaks a timer whose cron expression is none', async () => {
    await using folder = await configs({
      bad: { trigger: { type: 'timer', cron: 'every day' } },
      good: { trigger: { type: 'timer', cron: '0 3 * * *' } },
    })
    const { functions, broken } = await discover({ folder: folder.path, hostFor: () => noHost })
    expect(functions.map(({ name }) => name)).toEqual(['good'])
    expect(broken).toEqual([{ name: 'bad', error: expect.stringMatching(/^config\.ts: trigger\.cron: .*every day/) }])
  })

  it('lets the environment change a config before anything is made of it', async () => {
    const { functions } = await discover({
      folder: CONFIGS,
      names: ['good'],
      hostFor: ({ config }) => ({ ...noHost, config }) as FunctionHost,
      override: (_name, config) => ({ ...config, timeoutMs: 7 }),
    })
    expect(functions[0]!.config.timeoutMs).toBe(7)
    expect(functions[0]!.host).toMatchObject({ config: { timeoutMs: 7 } })
  })
})

describe('loading inline', () => {
  it('notes the reason on each function that cannot be, and tells it once', async () => {
    const names = ['broken-export', 'broken-missing', 'broken-queue', 'broken-throws', 'inline']
    const { functions } = await discover({
      folder: FIXTURES,
      names,
      hostFor: ({ folder, config }) => inlineHost(indexOf(folder), (app) => checkApp(app, config.trigger.type)),
    })
    const told: string[] = []
    await loadAll(functions, ({ name }) => told.push(name))
    expect(told.toSorted()).toEqual(names.slice(0, 4))
    const [asExport, missing, queue, throws, inline] = functions.map(({ error }) => error)
    expect(asExport).toBe('index.ts must export a Hono app as its default: `export default createApp()…`')
    expect(missing).toMatch(/index\.ts/)
    expect(queue).toBe('index.ts of a queue function must answer POST /')
    expect(throws).toBe('it throws when it is loaded')
    expect(inline).toBe(null)
  })

  it('that fails is no attempt of who asked: nothing of the function ran', async () => {
    const host = inlineHost(indexOf(join(FIXTURES, 'broken-throws')), (app) => checkApp(app, 'http'))
    const refused = await host.fetch(new Request('http://localhost/'), {} as Bindings).catch((error: Problem) => error)
    expect(refused).toMatchObject({ status: 503, cause: { message: 'it throws when it is loaded' } })
    const verdict = verdictOf(problemResponse(refused as Problem, { instance: '/' }))
    expect(verdict).toMatchObject({ kind: 'retry', counted: false, afterMs: 5_000 })
  })
})

describe('a config', () => {
  it('has no timeout that a timer cannot keep: beyond its 31 bits it fires at once', () => {
    const trigger = { type: 'http', routes: ['GET /a'] }
    expect(checkConfig({ trigger, timeoutMs: 2 ** 31 - 1 }).timeoutMs).toBe(2 ** 31 - 1)
    expect(() => checkConfig({ trigger, timeoutMs: 2 ** 31 })).toThrow(/timeoutMs/)
  })

  it('has every default filled in', () => {
    const http = { type: 'http', routes: ['GET /a'] }
    expect(checkConfig({ trigger: http, timeoutMs: 1 })).toEqual({
      trigger: { ...http, auth: 'key', concurrency: 1_000 },
      timeoutMs: 1,
      isolation: 'inline',
      secrets: [],
      calls: [],
    })
    const queue = { type: 'queue', queue: 'q', concurrency: 1, maxAttempts: 1 }
    expect(checkConfig({ trigger: queue, timeoutMs: 1 }).trigger).toMatchObject({
      backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
    })
  })
})
