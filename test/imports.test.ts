/** The import table is kept by every file, and bites. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf } from './imports.ts'
import { CONNECTIONS, OF_DRIVER, OF_FUNCTION, OF_TARGET, ROWS, violations } from './imports-table.ts'
import { PROJECT } from './project/command.ts'
import { PRODUCT } from './project/folders.ts'

const TESTS = /\.(test|fixture)\.ts$/
const files = globSync(`{${PRODUCT.join(',')}}/**/*.{ts,mjs}`, { cwd: PROJECT }).sort()
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

  test('what single targets may import, and drivers of each other, stands there by its name', () => {
    const rowOf = (from: string): string =>
      new RegExp(`^\\| ${from.replace('*', '\\*')} \\|.*$`, 'm').exec(read('ARCHITECTURE.md'))![0]
    const short = (path: string): string => path.replace(/^runtime\//, '').replace(/^targets\/node\/.*/, 'targets/node')
    const ofProject = Object.values(OF_TARGET)
      .flat()
      .filter((name) => name.endsWith('.ts'))
    for (const name of ofProject) expect(rowOf('targets/*')).toContain(short(name))
    for (const folder of CONNECTIONS) expect(rowOf('drivers/*')).toContain(short(folder))
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
  ['shared/picture/describe.ts', "import { fileTypeFromBuffer } from 'file-type'"],
  ['runtime/bindings.ts', "import { openEmbedded } from '../stacks/embedded.ts'"],
  ['runtime/bindings.ts', "export { openEmbedded } from '../stacks/embedded.ts'"],
  ['runtime/bindings.ts', "await import('../stacks/embedded.ts')"],
  ['runtime/bindings.ts', "import type { Stack } from '../stacks/embedded.ts'"],
  ['runtime/bindings.ts', "await import('./drivers/fetch/undici.ts')"],
  ['stacks/servers.ts', "import { MongoClient } from 'mongodb'"],
  ['runtime/bindings.ts', "import { nodeServer } from './targets/node/server.ts'"],
  ['runtime/main.ts', "import { undiciFetch } from './drivers/fetch/undici.ts'"],
  ['runtime/main.ts', "await import('../cli/serve.ts')"],
  ['runtime/core.ts', "await import('./drivers/fetch/undici.ts')"],
  ['runtime/core.ts', "import type { Links } from './drivers/links/hmac.ts'"],
  ['runtime/core.ts', "import { startRuntime } from './main.ts'"],
  ['runtime/core.ts', "import { listenAll } from './targets/node/listen.ts'"],
  ['runtime/core.ts', "import app from '../functions/get-task/index.ts'"],
  ['runtime/core.ts', "await import('../functions/get-task/index.ts')"],
  ['runtime/core.ts', 'await import(name)'],
  ['runtime/triggers/queue.ts', "import type { Queue } from '../drivers/queue/sqlite.ts'"],
  ['runtime/triggers/http.ts', "import { serve } from '@hono/node-server'"],
  ['console/health.ts', "import { openSqlite } from '../runtime/drivers/sqlite/file.ts'"],
  ['console/docs.ts', "import { nodeServer } from '../runtime/targets/node/server.ts'"],
  ['telemetry/spans.ts', "import { trace } from '@opentelemetry/api'"],
  ['telemetry/logs.ts', "import { startRuntime } from '../runtime/main.ts'"],
  ['runtime/drivers/together.ts', "import { openSqlite } from './sqlite/file.ts'"],
  ['runtime/drivers/tasks/sqlite.ts', "import { paths } from '../blobs/paths.ts'"],
  ['runtime/drivers/tasks/sqlite.ts', "import type { Config } from '../../config.ts'"],
  ['runtime/drivers/tasks/sqlite.ts', "import { LRUCache } from 'lru-cache'"],
  ['runtime/drivers/cache/memory.ts', "import { fetch } from 'undici'"],
  ['runtime/targets/node/hosts.ts', "import { filesystemBlobs } from '../../drivers/blobs/filesystem.ts'"],
  ['runtime/targets/node/hosts.ts', "import { say } from '../../../cli/report.ts'"],
  ['runtime/targets/knative/serve.ts', "import { storageOf } from '../../../stacks/storage.ts'"],
  ['runtime/targets/azure/register.ts', "import { drainOnSignal } from '../../../cli/signals.ts'"],
  ['runtime/targets/override.ts', "import { createHosts } from './node/hosts.ts'"],
  ['runtime/targets/node/hosts.ts', "import { checkAuth } from '../cloud/auth.ts'"],
  ['runtime/targets/azure/index.ts', "import { nodeServer } from '../node/server.ts'"],
  ['build/build.ts', "import { startRuntime } from '../runtime/main.ts'"],
  ['cli/demo.ts', "import { openSqlite } from '../runtime/drivers/sqlite/file.ts'"],
  ['cli/demo.ts', "import { listen } from '../runtime/targets/node/listen.ts'"],
  ['cli/demo.ts', "import { render } from '../functions/process-image/render.ts'"],
  ['runtime/services/task.ts', ''],
  ['functions/README.ts', ''],
]

/** Each of them is one that a row allows. */
const FREE: [file: string, text: string][] = [
  ['functions/get-task/config.ts', "import type { Config } from '#shared/function.ts'"],
  ['functions/get-task/index.ts', "import { HTTPException } from 'hono/http-exception'"],
  ['runtime/bindings.ts', "await import('../stacks/links.ts')"],
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
