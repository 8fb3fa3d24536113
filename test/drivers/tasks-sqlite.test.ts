import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { TaskQuery } from '#shared/bindings.ts'
import type { Message } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import type { SqliteFile } from '../../runtime/drivers/sqlite/file.ts'
import { sqliteQueue } from '../../runtime/drivers/queue/sqlite.ts'
import { DUE, EXPIRED, listQuery } from '../../runtime/drivers/tasks/sqlite-documents.ts'
import { sqliteTasks } from '../../runtime/drivers/tasks/sqlite.ts'
import { FAILURE, idOf, sampleMessage, sampleTask, times } from './samples.ts'
import { type TestFile, testFile } from './sqlite-file.ts'
import { describeTaskStore } from './tasks.ts'

/** Two stores with a file handle each: what one process and another would have. */
function openTwo(way: 'enqueue' | 'send') {
  const sent: Message[] = []
  const file = testFile()
  const keep = (message: Message): void => void sent.push(message)
  const options = way === 'enqueue' ? { enqueue: keep } : { send: async (message: Message) => keep(message) }
  const tasks = sqliteTasks({ file: file.open(), pollMs: 10, ...options })
  const second = sqliteTasks({ file: file.open(), pollMs: 10, ...options })
  const close = async (): Promise<void> => {
    await Promise.all([tasks.close(), second.close()])
    file.remove()
  }
  return { tasks, second, sent: async () => sent, close }
}

describeTaskStore('sqlite, queue in the same file', async () => openTwo('enqueue'))
describeTaskStore('sqlite, queue elsewhere', async () => openTwo('send'))

describe('sqlite alone', () => {
  let file: TestFile
  let handle: SqliteFile
  beforeEach(() => {
    file = testFile()
    handle = file.open()
  })
  afterEach(() => file.remove())

  test('a message that cannot be enqueued leaves no task, and does not touch those that share its commit', async () => {
    const bad = sampleTask()
    const good = sampleTask()
    const queue = sqliteQueue({ file: handle })
    const enqueue = (message: Message): void => {
      queue.enqueue(message)
      if (message.subject === bad.id) throw new Error('refused')
    }
    const tasks = sqliteTasks({ file: handle, enqueue })
    const [first, second] = await Promise.allSettled([
      tasks.create(bad, sampleMessage(bad)),
      tasks.create(good, sampleMessage(good)),
    ])
    expect(first).toMatchObject({ status: 'rejected', reason: { message: 'refused' } })
    expect(second).toMatchObject({ status: 'fulfilled', value: 'created' })
    expect(await tasks.get(bad.id)).toBeNull()
    expect(await tasks.get(good.id)).toEqual(good)
    expect(await queue.stats(sampleMessage(bad).queue)).toMatchObject({ waiting: 1 })
  })

  test('a settlement whose message cannot be enqueued is none', async () => {
    let refuse = false
    const enqueue = (): void => {
      if (refuse) throw new Error('refused')
    }
    const tasks = sqliteTasks({ file: handle, enqueue })
    const task = sampleTask()
    await tasks.create(task, sampleMessage(task))
    await tasks.claim(task.id, { attempt: 1, nextCheckAt: 1 })
    refuse = true
    await expect(tasks.settle(task.id, 1, FAILURE, { message: sampleMessage(task) })).rejects.toThrow('refused')
    expect(await tasks.get(task.id)).toMatchObject({ status: 'processing' })
  })

  test('what is created in one turn is one transaction', async () => {
    const tasks = sqliteTasks({ file: handle })
    let commits = 0
    const exec = handle.durable.exec.bind(handle.durable)
    handle.durable.exec = (sql) => {
      if (sql === 'COMMIT') commits++
      exec(sql)
    }
    const answers = await times(50, () => {
      const task = sampleTask()
      return tasks.create(task, sampleMessage(task))
    })
    expect(answers).toEqual(Array(50).fill('created'))
    expect(commits).toBe(1)
  })

  test('no query scans or sorts', () => {
    const filters: Partial<TaskQuery>[] = [
      {},
      { status: 'failed' },
      { code: 'image-corrupt' },
      { status: 'failed', code: 'image-corrupt' },
      { metadata: { a: '1' } },
      { metadata: { a: '1', b: '2' }, status: 'failed', code: 'image-corrupt', before: idOf(1) },
    ]
    const queries = [
      ...filters.map((filter) => listQuery({ limit: 10, ...filter })),
      { text: DUE, values: [1, 10] },
      { text: EXPIRED, values: ['2026', 10] },
    ]
    for (const { text, values } of queries) {
      const plan = handle.relaxed.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values)
      for (const { detail } of plan) expect(detail).toMatch(/^SEARCH \w+ (EXISTS )?USING/)
    }
  })

  test('an outage is a problem with Retry-After, a lock that is held too', async () => {
    const tasks = sqliteTasks({ file: handle })
    const task = sampleTask()
    handle.durable.exec('PRAGMA busy_timeout = 0')
    handle.relaxed.exec('PRAGMA busy_timeout = 0')
    const other = file.open()
    other.relaxed.exec('BEGIN IMMEDIATE')
    const unavailable = { code: 'unavailable', status: 503, headers: { 'Retry-After': '2' } }
    await expect(tasks.create(task, sampleMessage(task))).rejects.toMatchObject(unavailable)
    await expect(tasks.claim(task.id, { attempt: 1, nextCheckAt: 1 })).rejects.toMatchObject(unavailable)
    other.relaxed.exec('ROLLBACK')
    expect(await tasks.create(task, sampleMessage(task))).toBe('created')
    handle.close()
    await expect(tasks.get(task.id)).rejects.toMatchObject(unavailable)
    await expect(tasks.create(task, sampleMessage(task))).rejects.toMatchObject(unavailable)
  })

  test('a full disk is a problem, leaves nothing half-written, and ends', async () => {
    const tasks = sqliteTasks({ file: handle })
    const pages = Number(handle.durable.prepare('PRAGMA page_count').get()!['page_count'])
    handle.durable.exec(`PRAGMA max_page_count = ${pages}`)
    const task = sampleTask({ warnings: ['x'.repeat(100_000)] })
    await expect(tasks.create(task, sampleMessage(task))).rejects.toMatchObject({ code: 'unavailable' })
    expect(await tasks.get(task.id)).toBeNull()
    handle.durable.exec('PRAGMA max_page_count = 100000')
    expect(await tasks.create(task, sampleMessage(task))).toBe('created')
  })

  test('no timer runs while nobody waits, one while anyone does', async () => {
    const started = vi.spyOn(globalThis, 'setInterval')
    const stopped = vi.spyOn(globalThis, 'clearInterval')
    onTestFinished(() => void vi.restoreAllMocks())
    const tasks = sqliteTasks({ file: handle })
    const task = sampleTask()
    await tasks.create(task, sampleMessage(task))
    expect(started).not.toHaveBeenCalled()
    const states = [1, 2].map(() => tasks.changes(task.id, new AbortController().signal)[Symbol.asyncIterator]())
    await Promise.all(states.map((each) => each.next()))
    const waiting = Promise.all(states.map((each) => each.next()))
    expect(started).toHaveBeenCalledTimes(1)
    expect(stopped).not.toHaveBeenCalled()
    await tasks.close()
    for (const end of await waiting) expect(end).toEqual({ done: true, value: undefined })
    expect(stopped).toHaveBeenCalledExactlyOnceWith(started.mock.results[0]!.value)
  })

  test('a waiter reads again only when another connection wrote', async () => {
    const tasks = sqliteTasks({ file: handle, pollMs: 5 })
    const other = sqliteTasks({ file: file.open() })
    const task = sampleTask()
    await tasks.create(task, sampleMessage(task))
    const seen: Task[] = []
    const controller = new AbortController()
    const ended = (async () => {
      for await (const state of tasks.changes(task.id, controller.signal)) {
        seen.push(state!)
        if (isTerminal(state!)) return
      }
    })()
    // Another task is written: everyone reads again, and what is the same is not yielded.
    const noise = sampleTask()
    await other.create(noise, sampleMessage(noise))
    await other.claim(task.id, { attempt: 1, nextCheckAt: 1 })
    await other.settle(task.id, 1, FAILURE)
    await ended
    expect(new Set(seen.map((state) => JSON.stringify(state))).size).toBe(seen.length)
    expect(seen.at(-1)).toMatchObject({ status: 'failed' })
  })
})

describe('kill -9', () => {
  const creator = fileURLToPath(new URL('tasks-sqlite-creator.ts', import.meta.url))

  /** Runs the creator until it has printed `count` ids; returns all that it printed before it died. */
  async function killedAfter(path: string, count: number): Promise<string[]> {
    const child = spawn(process.execPath, [creator, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ids: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      if (ids.push(line) === count) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return ids.filter((id) => id.length === 36)
  }

  test('every acknowledged task is there, with its message, and the file is whole', async () => {
    const file = testFile()
    try {
      // Two at once on a new file: they race for its creation as well.
      const ids = (await Promise.all([killedAfter(file.path, 40), killedAfter(file.path, 70)])).flat()
      ids.push(...(await killedAfter(file.path, 33)))
      expect(ids.length).toBeGreaterThanOrEqual(143)
      const handle = file.open()
      const tasks = sqliteTasks({ file: handle })
      const queued = handle.relaxed.prepare('SELECT id FROM queue_messages').all()
      const messages = new Set(queued.map((row) => row['id']))
      for (const id of ids) {
        expect(await tasks.get(id)).toMatchObject({ id, status: 'pending' })
        expect(messages).toContain(`${id}.created`)
      }
      // Neither without the other, for the unacknowledged too.
      const total = handle.relaxed.prepare('SELECT count(*) AS n FROM tasks').get()
      expect(total).toEqual({ n: messages.size })
      expect(handle.relaxed.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    } finally {
      file.remove()
    }
  })
})
