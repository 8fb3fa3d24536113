import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openSqlite, type SqliteFile } from './file.ts'
import { LOCK_TRY_MS } from './patience.ts'
import { migrate, MIGRATIONS } from './schema.ts'
import { watchWrites } from './watch.ts'

let folder: string
let opened: SqliteFile[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'revela-file-'))
  opened = []
})
afterEach(() => {
  opened.forEach((file) => file.close())
  rmSync(folder, { recursive: true, force: true })
})

function open(path = join(folder, 'new', 'folders', 'tasks.sqlite')): SqliteFile {
  const file = openSqlite(path)
  opened.push(file)
  return file
}

test('makes the folder, and opens with the promised durability', () => {
  const { path, durable, relaxed } = open()
  expect(existsSync(path)).toBe(true)
  expect(durable.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
  expect(durable.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 })
  expect(relaxed.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 1 })
  for (const db of [durable, relaxed]) {
    expect(db.prepare('PRAGMA busy_timeout').get()).toEqual({ timeout: LOCK_TRY_MS })
  }
})

test('what waits when the file closes is committed, and closing twice does nothing', async () => {
  const file = open()
  const committed = file.commit(() => file.durable.exec("INSERT INTO cursors VALUES ('a', 'b')"))
  file.close()
  file.close()
  await committed
  expect(open(file.path).relaxed.prepare('SELECT * FROM cursors').all()).toEqual([{ name: 'a', value: 'b' }])
})

test('waits for another process that creates the file at the same time', async () => {
  const path = join(folder, 'tasks.sqlite')
  // Holds the write lock on a file that is not in WAL mode yet, for long enough to be met.
  const holder = `
    const db = new (require('node:sqlite').DatabaseSync)(process.argv[1])
    db.exec('BEGIN IMMEDIATE')
    console.log('locked')
    setTimeout(() => db.exec('COMMIT'), 300)`
  const child = spawn(process.execPath, ['-e', holder, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  expect(open(path).relaxed.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
  await exited
})

test('a file that is no database is refused', () => {
  const path = join(folder, 'notes.txt')
  writeFileSync(path, 'not a database, and long enough to be looked at as one: '.repeat(40))
  expect(() => openSqlite(path)).toThrow('file is not a database')
})

test('steps are taken once, in order, from where the file stands', () => {
  const { durable } = open()
  const version = () => durable.prepare('PRAGMA user_version').get()
  expect(version()).toEqual({ user_version: MIGRATIONS.length })
  const longer = [...MIGRATIONS, 'CREATE TABLE next_step (a)', 'ALTER TABLE next_step ADD COLUMN b']
  migrate(durable, longer)
  migrate(durable, longer)
  expect(durable.prepare('SELECT a, b FROM next_step').all()).toEqual([])
  expect(version()).toEqual({ user_version: longer.length })
})

test('a step that fails leaves the file as it was', () => {
  const { durable } = open()
  const broken = [...MIGRATIONS, 'CREATE TABLE next_step (a)', 'nonsense']
  expect(() => migrate(durable, broken)).toThrow('syntax error')
  expect(durable.prepare('PRAGMA user_version').get()).toEqual({ user_version: MIGRATIONS.length })
  expect(() => durable.prepare('SELECT * FROM next_step')).toThrow('no such table')
})

test('a file of a newer program is refused', () => {
  const file = open()
  file.durable.exec('PRAGMA user_version = 99')
  expect(() => openSqlite(file.path)).toThrow('schema 99')
})

test('a write of another connection is noticed; silence is not', () => {
  vi.useFakeTimers()
  try {
    const file = open()
    const onWrite = vi.fn<() => void>()
    const stop = watchWrites(file.relaxed, 1_000, onWrite)
    vi.advanceTimersByTime(5_000)
    expect(onWrite).not.toHaveBeenCalled()
    open(file.path).relaxed.exec("INSERT INTO cursors VALUES ('a', 'b')")
    vi.advanceTimersByTime(5_000)
    expect(onWrite).toHaveBeenCalledTimes(1)
    stop()
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
