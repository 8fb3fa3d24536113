/** ARCHITECTURE.md's import table as an allow-list: what no row names is not imported. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Import, importsOf } from './imports.ts'
import { PROJECT } from './project/command.ts'

/** Packages of single functions, each with its reason. */
const OF_FUNCTION: Record<string, Record<string, string>> = {
  'create-task': {
    '@fastify/busboy': 'a form is taken apart while it arrives',
    'file-type': 'a refusal names what was sent instead of a picture',
  },
  'process-image': { sharp: 'decodes and encodes; render.ts alone', thumbhash: 'the placeholder' },
  notify: { standardwebhooks: "signs as the receivers' libraries verify" },
}

/** What stands between a driver and its server or data structure. */
const OF_DRIVER: Record<string, string[]> = {
  cache: ['lru-cache'],
  fetch: ['undici', 'ipaddr.js'],
  'rate-limit': ['rate-limiter-flexible'],
}

const SHARED = /^shared\//
const NODE = /^node:/
/** The files right in runtime/ but the entry; bindings.ts has more rights, and is imported as any of them. */
const CORE = /^runtime\/(?!main\.ts)[a-z-]+\.ts$/
const TRIGGERS = /^runtime\/triggers\//
const CONSOLE = /^runtime\/console\//
/** Where the name of what is imported is found at run time: functions, containers' functions, commands. */
const COMPUTED = new Set([
  'runtime/loader.ts',
  'runtime/host.ts',
  'runtime/targets/node/container-child.ts',
  'runtime/cli/start.mjs',
])

const only = (...names: string[]): RegExp => new RegExp(`^(${names.join('|').replaceAll('.', '\\.')})(/|$)`)
const none = /(?!)/

interface Row {
  /** As in the table. */
  from: string
  files: RegExp
  /** What a file may import; `own` is the folder below functions/, drivers/ or the like that it lies in. */
  may: (own: string) => RegExp[]
  typesOnly?: boolean
  /** What it may import when it is wanted, and not before. */
  late?: RegExp
}

/** The first row that knows a file is the file's. */
const ROWS: Row[] = [
  { from: 'X/config.ts', files: /^functions\/([^/]+)\/config\.ts$/, may: () => [SHARED], typesOnly: true },
  {
    from: 'functions/X',
    files: /^functions\/([^/]+)\//,
    may: (own) => [
      only(`functions/${own}`, 'hono', 'zod', '@hono/zod-openapi', ...Object.keys(OF_FUNCTION[own] ?? {})),
      /^node:(crypto|stream|buffer)$/,
      SHARED,
    ],
  },
  { from: 'shared', files: /^shared\/()/, may: () => [SHARED, only('hono', '@hono/zod-openapi', 'node:crypto')] },
  {
    from: 'runtime/bindings.ts',
    files: /^runtime\/bindings\.ts()$/,
    may: () => [SHARED, CORE],
    late: /^runtime\/drivers\//,
  },
  {
    from: 'runtime/main.ts',
    files: /^runtime\/main\.ts()$/,
    may: () => [SHARED, CORE, TRIGGERS, CONSOLE, NODE, /^runtime\/targets\/node\//],
  },
  {
    from: 'runtime core and triggers',
    files: /^runtime\/(?:triggers\/)?[^/]+\.ts()$/,
    may: () => [SHARED, CORE, TRIGGERS, CONSOLE, NODE, only('hono/router', 'zod', 'pino', 'croner')],
  },
  { from: 'console', files: /^runtime\/console\/()/, may: () => [SHARED, CORE, CONSOLE, NODE, only('prom-client')] },
  {
    from: 'drivers/*',
    files: /^runtime\/drivers\/([^/]+)\//,
    may: (own) => [
      SHARED,
      NODE,
      only(`runtime/drivers/${own}`, 'runtime/drivers/sqlite'),
      OF_DRIVER[own] ? only(...OF_DRIVER[own]) : none,
    ],
  },
  {
    from: 'targets/*',
    files: /^runtime\/targets\/([^/]+)\//,
    may: (own) => [
      SHARED,
      CORE,
      TRIGGERS,
      CONSOLE,
      NODE,
      only(`runtime/targets/${own}`, 'prom-client'),
      own === 'node' ? only('@hono/node-server') : none,
    ],
  },
  {
    from: 'cli/*',
    files: /^runtime\/cli\/()/,
    may: () => [SHARED, CORE, NODE, /^runtime\/(cli\/|main\.ts$)/, only('sharp')],
  },
]

function isAllowed(row: Row, own: string, file: string, { target, isType, isDynamic }: Import): boolean {
  if (row.typesOnly && !isType) return false
  if (target === null) return isDynamic && COMPUTED.has(file)
  if (row.late?.test(target)) return isType || isDynamic
  return row.may(own).some((pattern) => pattern.test(target))
}

/** What the text imports against its row; a file that no row knows is a violation itself. */
function violations(file: string, text: string): string[] {
  for (const row of ROWS) {
    const [, own] = row.files.exec(file) ?? []
    if (own === undefined) continue
    const refused = importsOf(file, text).filter((each) => !isAllowed(row, own, file, each))
    return refused.map(({ target }) => `${file} (${row.from}): ${target ?? 'a computed import'}`)
  }
  return [`${file}: no row of the table is about it`]
}

const TESTS = /\.(test|fixture)\.ts$/
const files = globSync('{functions,shared,runtime}/**/*.{ts,mjs}', { cwd: PROJECT }).sort()
const read = (file: string): string => readFileSync(join(PROJECT, file), 'utf8')

describe('the import table', () => {
  test('every source file keeps to its row', () => {
    const sources = files.filter((file) => !TESTS.test(file))
    expect(sources.flatMap((file) => violations(file, read(file)))).toEqual([])
    // Guards the guard: each row has files of its own.
    const rows = sources.map((file) => ROWS.find((row) => row.files.test(file))?.from)
    expect(new Set(rows)).toEqual(new Set(ROWS.map(({ from }) => from)))
  })

  test("a function's tests know no other function", () => {
    const others = files
      .filter((file) => TESTS.test(file))
      .flatMap((file) => {
        const [own] = /^functions\/[^/]+\//.exec(file) ?? []
        const targets = importsOf(file, read(file)).map(({ target }) => target ?? '')
        return own ? targets.filter((target) => target.startsWith('functions/') && !target.startsWith(own)) : []
      })
    expect(others).toEqual([])
  })

  test('it has the rows that ARCHITECTURE.md has', () => {
    const [, table] = /^\| from \| may import \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(read('ARCHITECTURE.md'))!
    const rows = table!.trim().split('\n')
    expect(rows.map((row) => row.split('|')[1]!.trim()).sort()).toEqual(ROWS.map(({ from }) => from).sort())
  })

  test('every package that is listed for one is imported by it', () => {
    const listed = Object.entries({ ...OF_FUNCTION, ...OF_DRIVER }).flatMap(([own, packages]) =>
      (Array.isArray(packages) ? packages : Object.keys(packages)).map((name) => `${own} ${name}`),
    )
    const imported = files.flatMap((file) => {
      const [, own] = /^(?:functions|runtime\/drivers)\/([^/]+)\//.exec(file) ?? []
      return TESTS.test(file) ? [] : importsOf(file, read(file)).map(({ target }) => `${own} ${target}`)
    })
    expect(imported).toEqual(expect.arrayContaining(listed))
  })
})

/** A file of each row, what it must not import, and how that could be written. */
const PLANTED: [file: string, text: string][] = [
  ['functions/get-task/config.ts', "import { z } from 'zod'"],
  ['functions/get-task/config.ts', "import { DAY_MS } from '#shared/limits.ts'"],
  ['functions/get-task/config.ts', "import '#shared/limits.ts'"],
  ['functions/get-task/config.ts', "import { type Config } from '#shared/function.ts'"],
  ['functions/get-task/config.ts', "import type { Config } from '../../runtime/config.ts'"],
  ['functions/get-task/index.ts', "import { claim } from '../process-image/hold.ts'"],
  ['functions/get-task/index.ts', "import type { Config } from '../../runtime/config.ts'"],
  ['functions/get-task/index.ts', "let task: import('../list-tasks/cursor.ts').Cursor"],
  ['functions/get-task/index.ts', "await import('node:fs/promises')"],
  ['functions/get-task/index.ts', 'await import(`../../runtime/${name}.ts`)'],
  ['functions/get-task/index.ts', "import sharp from 'sharp'"],
  ['functions/get-task/index.ts', "import { Hono } from 'honor'"],
  ['functions/get-task/index.ts', "export * from '../../test/tasks.ts'"],
  ['functions/create-task/index.ts', "export { thumbHashToRGBA } from 'thumbhash'"],
  ['functions/get-task-2/index.ts', "import { follow } from '../get-task/follow.ts'"],
  ['functions/get-task/index.ts', "const { readFileSync } = require('node:fs')"],
  ['shared/task.ts', "import { readFile } from 'node:fs/promises'"],
  ['shared/task.ts', "import type { Config } from '../runtime/config.ts'"],
  ['shared/task.ts', "import undici = require('undici')"],
  ['runtime/bindings.ts', "import { undiciFetch } from './drivers/fetch/undici.ts'"],
  ['runtime/bindings.ts', "export { undiciFetch } from './drivers/fetch/undici.ts'"],
  ['runtime/bindings.ts', "import { nodeServer } from './targets/node/server.ts'"],
  ['runtime/main.ts', "import { undiciFetch } from './drivers/fetch/undici.ts'"],
  ['runtime/main.ts', "await import('./cli/serve.ts')"],
  ['runtime/core.ts', "await import('./drivers/fetch/undici.ts')"],
  ['runtime/core.ts', "import type { Links } from './drivers/links/hmac.ts'"],
  ['runtime/core.ts', "import { startRuntime } from './main.ts'"],
  ['runtime/core.ts', "import { listenAll } from './targets/node/listen.ts'"],
  ['runtime/core.ts', "import app from '../functions/get-task/index.ts'"],
  ['runtime/core.ts', "await import('../functions/get-task/index.ts')"],
  ['runtime/core.ts', 'await import(name)'],
  ['runtime/triggers/queue.ts', "import type { Queue } from '../drivers/queue/sqlite.ts'"],
  ['runtime/triggers/http.ts', "import { serve } from '@hono/node-server'"],
  ['runtime/console/health.ts', "import { openSqlite } from '../drivers/sqlite/file.ts'"],
  ['runtime/console/docs.ts', "import { nodeServer } from '../targets/node/server.ts'"],
  ['runtime/drivers/tasks/sqlite.ts', "import { paths } from '../blobs/paths.ts'"],
  ['runtime/drivers/tasks/sqlite.ts', "import type { Config } from '../../config.ts'"],
  ['runtime/drivers/tasks/sqlite.ts', "import { LRUCache } from 'lru-cache'"],
  ['runtime/drivers/cache/memory.ts', "import { fetch } from 'undici'"],
  ['runtime/targets/node/hosts.ts', "import { filesystemBlobs } from '../../drivers/blobs/filesystem.ts'"],
  ['runtime/targets/node/hosts.ts', "import { say } from '../../cli/report.ts'"],
  ['runtime/targets/azure/index.ts', "import { nodeServer } from '../node/server.ts'"],
  ['runtime/cli/demo.ts', "import { openSqlite } from '../drivers/sqlite/file.ts'"],
  ['runtime/cli/demo.ts', "import { listen } from '../targets/node/listen.ts'"],
  ['runtime/cli/demo.ts', "import { render } from '../../functions/process-image/render.ts'"],
  ['runtime/services/task.ts', ''],
  ['functions/README.ts', ''],
]

/** Each of them is one that a row allows. */
const FREE: [file: string, text: string][] = [
  ['functions/get-task/config.ts', "import type { Config } from '#shared/function.ts'"],
  ['functions/get-task/index.ts', "import { HTTPException } from 'hono/http-exception'"],
  ['runtime/bindings.ts', "await import('./drivers/fetch/undici.ts')"],
  ['runtime/bindings.ts', "import type { Links } from './drivers/links/hmac.ts'"],
  ['runtime/loader.ts', 'await import(url.href)'],
  ['runtime/drivers/tasks/sqlite.ts', "import { openSqlite } from '../sqlite/file.ts'"],
]

describe('a planted violation', () => {
  test.each(PLANTED)('%s: %s', (file, text) => expect(violations(file, text)).toHaveLength(1))
  test('is planted in every row', () => {
    const bitten = PLANTED.map(([file]) => ROWS.find((row) => row.files.test(file))?.from)
    expect(bitten).toEqual(expect.arrayContaining(ROWS.map(({ from }) => from)))
  })
  test.each(FREE)('%s: %s is none', (file, text) => expect(violations(file, text)).toEqual([]))
})
