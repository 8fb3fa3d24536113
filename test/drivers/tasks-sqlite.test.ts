import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { TaskQuery } from '#shared/bindings.ts'
import type { Message } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import type { SqliteFile } from '../../runtime/drivers/sqlite/file.ts'
import { sqliteQueue } from '../../runtime/drivers/queue/sqlite.ts'
import { DUE, EXPIRED, listQuery, type Query } from '../../runtime/drivers/tasks/sqlite-documents.ts'
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

  test('each query walks the index that is meant for it, and none sorts', () => {
    const byMetadata = {
      metadata: { a: '1', b: '2' },
      status: 'failed',
      code: 'image-corrupt',
      before: idOf(1),
    } as const
    const list = (query: Partial<TaskQuery>) => listQuery({ limit: 10, ...query })
    const due = { text: DUE, values: [1, 10] }
    const expired = { text: EXPIRED, values: ['2026', 10] }
    const cases: [string, Query][] = [
      ['sqlite_autoindex_tasks_1 (id<?)', list({})],
      ['tasks_by_status (status=? AND id<?)', list({ status: 'failed' })],
      ['tasks_by_error_code (error_code=? AND id<?)', list({ code: 'image-corrupt' })],
      ['tasks_by_error_code (error_code=? AND id<?)', list({ status: 'failed', code: 'image-corrupt' })],
      ['PRIMARY KEY (key=? AND value=? AND task_id<?)', list({ metadata: { a: '1' } })],
      ['PRIMARY KEY (key=? AND value=? AND task_id<?)', list(byMetadata)],
      ['tasks_by_next_check (next_check_at<?)', due],
      ['tasks_by_expiry (expires_at<?)', expired],
    ]
    for (const [index, { text, values }] of cases) {
      const plan = handle.relaxed.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values)
      const steps = plan.map(({ detail }) => String(detail))
      expect(steps[0]?.endsWith(` ${index}`)).toBe(true)
      expect(steps.filter((step) => !step.startsWith('SEARCH'))).toEqual([])
    }
  })

  test('a deleted task leaves no metadata behind', async () => {
    const tasks = sqliteTasks({ file: handle })
    const task = sampleTask({ metadata: { a: '1', b: '2' } })
    await tasks.create(task, sampleMessage(task))
    const rows = () => handle.relaxed.prepare('SELECT * FROM task_metadata').all()
    expect(rows()).toHaveLength(2)
    await tasks.delete(task.id)
    expect(rows()).toEqual([])
  })

  test('an outage is a problem with Retry-After, a lock that is held too', async () => {
    const impatient = file.open(0)
    const tasks = sqliteTasks({ file: impatient })
    const task = sampleTask()
    const other = file.open()
    other.relaxed.exec('BEGIN IMMEDIATE')
    const unavailable = { code: 'unavailable', status: 503, headers: { 'Retry-After': '2' } }
    await expect(tasks.create(task, sampleMessage(task))).rejects.toMatchObject(unavailable)
    await expect(tasks.claim(task.id, { attempt: 1, nextCheckAt: 1 })).rejects.toMatchObject(unavailable)
    other.relaxed.exec('ROLLBACK')
    expect(await tasks.create(task, sampleMessage(task))).toBe('created')
    impatient.close()
    await expect(tasks.get(task.id)).rejects.toMatchObject(unavailable)
    await expect(tasks.create(task, sampleMessage(task))).rejects.toMatchObject(unavailable)
  })

  test('while another process writes, reads go on; writes wait for it, and are one commit then', async () => {
    const tasks = sqliteTasks({ file: handle })
    const known = sampleTask()
    await tasks.create(known, sampleMessage(known))
    const other = file.open()
    other.relaxed.exec('BEGIN IMMEDIATE')
    const task = sampleTask()
    const done: string[] = []
    const writes = [
      tasks.create(task, sampleMessage(task)).then((answer) => done.push(answer)),
      tasks.claim(known.id, { attempt: 1, nextCheckAt: 1 }).then((claimed) => done.push(`fence ${claimed?.fence}`)),
      tasks.writeCursor('a', 'b').then(() => done.push('written')),
    ]
    for (let turns = 0; turns < 20; turns++) {
      await nextTurn()
      expect(await tasks.get(known.id)).toEqual(known)
      expect(await tasks.get(task.id)).toBeNull()
    }
    expect(done).toEqual([])
    // It joins those that wait.
    const late = sampleTask()
    writes.push(tasks.create(late, sampleMessage(late)).then((answer) => done.push(answer)))
    other.relaxed.exec('ROLLBACK')
    await Promise.all(writes)
    expect(done.toSorted()).toEqual(['created', 'created', 'fence 1', 'written'])
    expect(await tasks.get(late.id)).toEqual(late)
  })

  test('what still waits for another process when the file closes is written if it ends in time, else refused', async () => {
    const tasks = sqliteTasks({ file: file.open(50) })
    const other = file.open()
    other.relaxed.exec('BEGIN IMMEDIATE')
    const task = sampleTask()
    const unavailable = { code: 'unavailable', status: 503 }
    await expect(tasks.create(task, sampleMessage(task))).rejects.toMatchObject(unavailable)
    const closing = file.open(50)
    const refused = closing.commit(() => 1).catch((error: unknown) => error)
    closing.close()
    expect(await refused).toMatchObject({ errcode: 5 })
    other.relaxed.exec('ROLLBACK')
    expect(await tasks.get(task.id)).toBeNull()
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
