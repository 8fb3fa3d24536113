import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded } from '#shared/errors.ts'
import { DAY_MS, GC_FOLDERS_PER_RUN } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey, uploadKey, uploadTermsKey, variantKey } from '#shared/variant.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { completedTask, derive } from '../../test/tasks.ts'
import { collectOrphans } from './collect.ts'
import config from './config.ts'
import { SWEEP_MARGIN_MS } from './limits.ts'

const now = Date.now()
const OLD = now - DAY_MS - 1_000

async function orphan(env: TestBindings, time: number): Promise<string> {
  const id = newTaskId(time)
  await env.blobs.put(originalKey(id, 'jpeg'), Buffer.from('x'))
  await env.blobs.put(variantKey(id, '800x800', 'jpeg'), Buffer.from('x'))
  return id
}

const folders = async (env: TestBindings): Promise<string[]> => await env.blobs.listTasks('', 10_000)

/** Names of all files, without their folders. */
async function filesOf(env: TestBindings): Promise<string[]> {
  const entries = await readdir(env.folder, { recursive: true, withFileTypes: true })
  return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort()
}

test('takes an upload that was never completed, once nobody can any more', async () => {
  await using env = await testBindings()
  const young = newTaskId(now - DAY_MS + 60_000)
  for (const id of [newTaskId(OLD), newTaskId(OLD - 1), young]) {
    await env.blobs.put(uploadTermsKey(id), Buffer.from('{}'))
    if (id !== young) await env.blobs.put(uploadKey(id), Buffer.from('x'))
  }
  await collectOrphans(env, now)
  expect(await folders(env)).toEqual([young])
})

/** A blob store of folders that exist by name alone. */
function named(env: TestBindings, ids: string[]) {
  const asked: string[] = []
  const deleted: string[] = []
  const blobs = {
    ...env.blobs,
    listTasks: async (after: string, limit: number) => {
      asked.push(after)
      return ids.filter((id) => id > after).slice(0, limit)
    },
    deleteTask: async (id: string) => {
      deleted.push(id)
    },
  }
  return { asked, deleted, env: { ...env, blobs } }
}

test('takes orphans older than the grace, and nothing that is younger or referenced', async () => {
  const swept: unknown[] = []
  const measure = (...args: unknown[]): void => void swept.push(args)
  await using env = await testBindings({ invocation: testInvocation({ measure }) })
  await orphan(env, OLD)
  await orphan(env, OLD - DAY_MS)
  const young = await orphan(env, now - DAY_MS + 60_000)
  const { id: referenced } = await completedTask(env, { id: newTaskId(OLD) })
  const { key } = await derive(env, referenced, '800x800', 'webp')
  await collectOrphans(env, now)
  expect(await folders(env)).toEqual([referenced, young].sort())
  const derived = await env.blobs.get(key)
  expect(derived).not.toBeNull()
  await derived!.body.cancel()
  expect(swept).toEqual([['swept_total', 2, { action: 'collected' }]])
})

test('the grace is an edge: older goes, as old or younger stays', async () => {
  await using env = await testBindings()
  await orphan(env, now - DAY_MS - 1)
  const kept = await orphan(env, now - DAY_MS + 1)
  await collectOrphans(env, now)
  expect(await folders(env)).toEqual([kept])
})

test('goes on where it stopped, and starts anew at the end', async () => {
  await using bindings = await testBindings()
  const ids = Array.from({ length: GC_FOLDERS_PER_RUN + 3 }, (_, at) => newTaskId(OLD - 10_000 + at))
  const { asked, deleted, env } = named(bindings, ids)
  await collectOrphans(env, now)
  expect(deleted).toEqual(ids.slice(0, GC_FOLDERS_PER_RUN))
  await collectOrphans(env, now)
  expect(deleted).toEqual(ids)
  await collectOrphans(env, now)
  expect(asked).toEqual(['', ids[GC_FOLDERS_PER_RUN - 1], ''])
})

test('the first young folder ends the walk, which starts anew', async () => {
  await using bindings = await testBindings()
  const ids = Array.from({ length: GC_FOLDERS_PER_RUN }, (_, at) => newTaskId(now - 5_000 + at))
  const { asked, deleted, env } = named(bindings, ids)
  await bindings.tasks.writeCursor('gc', newTaskId(1))
  await collectOrphans(env, now)
  await collectOrphans(env, now)
  expect(deleted).toEqual([])
  expect(asked.at(-1)).toBe('')
})

test('what no task id names is left alone', async () => {
  await using bindings = await testBindings()
  const { deleted, env } = named(bindings, ['00000000-lost+found', newTaskId(OLD).toUpperCase(), 'zz'])
  await collectOrphans(env, now)
  expect(deleted).toEqual([])
})

test('a folder that cannot be removed does not stop the walk', async () => {
  await using env = await testBindings()
  const first = await orphan(env, OLD - 1_000)
  await orphan(env, OLD)
  const deleteTask = async (id: string): Promise<void> => {
    if (id === first) throw new Error('EACCES')
    await env.blobs.deleteTask(id)
  }
  await collectOrphans({ ...env, blobs: { ...env.blobs, deleteTask } }, now)
  expect(await folders(env)).toEqual([first])
})

test('of a task that lives, only what was being written longer ago than the grace goes', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env, { id: newTaskId(OLD) })
  const before = await filesOf(env)
  const own = join(env.folder, 'output', id)
  for (const [name, at] of [
    ['.tmp-dead', now - DAY_MS - 1_000],
    ['.tmp-alive', now - DAY_MS + 60_000],
  ] as const) {
    await writeFile(join(own, name), 'half')
    await utimes(join(own, name), at / 1_000, at / 1_000)
  }
  await collectOrphans(env, now)
  expect(await filesOf(env)).toEqual([...before, '.tmp-alive'].sort())
  expect(await folders(env)).toEqual([id])
})

test('leftovers that cannot be removed do not stop the walk', async () => {
  const errors: string[] = []
  const log = { ...testInvocation().log, error: (message: string) => void errors.push(message) }
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  await completedTask(env, { id: newTaskId(OLD - 1_000) })
  await orphan(env, OLD)
  const tidy = async (): Promise<never> => {
    throw new Error('EACCES')
  }
  await collectOrphans({ ...env, blobs: { ...env.blobs, tidy } }, now)
  expect(errors).toEqual(['leftover files cannot be removed'])
  expect(await folders(env)).toHaveLength(1)
})

test('a run has more time than it keeps for its end', () => {
  expect(config.timeoutMs).toBeGreaterThan(2 * SWEEP_MARGIN_MS)
})

/** As the runtime ends a run: past its deadline the bindings are closed, and whatever is written then is lost. */
test('a walk that has no time left notes how far it came before it is too late', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now })
  try {
    const deadline = now + SWEEP_MARGIN_MS + 30
    await using bindings = await testBindings({ invocation: testInvocation({ deadline }) })
    const ids = Array.from({ length: 5 }, (_, at) => newTaskId(OLD - 10_000 + at))
    const { asked, deleted, env } = named(bindings, ids)
    const deleteTask = async (id: string): Promise<void> => {
      await env.blobs.deleteTask(id)
      vi.setSystemTime(Date.now() + 10)
    }
    const inTime = (): void => {
      if (Date.now() >= deadline) throw new InvocationEnded()
    }
    const writeCursor: Bindings['tasks']['writeCursor'] = async (...args) => {
      inTime()
      await env.tasks.writeCursor(...args)
    }
    await collectOrphans({ ...env, blobs: { ...env.blobs, deleteTask }, tasks: { ...env.tasks, writeCursor } }, now)
    expect(deleted).toEqual(ids.slice(0, 3))
    await collectOrphans({ ...env, invocation: testInvocation({ deadline: Date.now() + 30_000 }) }, now)
    expect(asked.at(-1)).toBe(ids[2])
    expect(deleted).toEqual(ids)
  } finally {
    vi.useRealTimers()
  }
})

test('an aborted walk goes on behind the last folder that it looked at', async () => {
  const ended = new AbortController()
  await using bindings = await testBindings({ invocation: testInvocation({ signal: ended.signal }) })
  const ids = Array.from({ length: 5 }, (_, at) => newTaskId(OLD - 10_000 + at))
  const { asked, deleted, env } = named(bindings, ids)
  const deleteTask = async (id: string): Promise<void> => {
    await env.blobs.deleteTask(id)
    if (deleted.length === 2) ended.abort()
  }
  await collectOrphans({ ...env, blobs: { ...env.blobs, deleteTask } }, now)
  expect(deleted).toEqual(ids.slice(0, 2))
  await collectOrphans({ ...env, invocation: testInvocation() }, now)
  expect(asked.at(-1)).toBe(ids[1])
  expect(deleted).toEqual(ids)
})
