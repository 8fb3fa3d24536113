import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { DAY_MS } from '#shared/limits.ts'
import { ForeignFiles } from '#shared/owner.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey, variantKey } from '#shared/variant.ts'
import { openLocal } from '../../../stacks/local.ts'
import { readConfig } from '../../config.ts'
import { markStorage, type MarkParts } from '../../../stacks/storage.ts'
import { filesystemBlobs } from './filesystem.ts'
import { mark, MARKER } from './marker.ts'
import { OWNER } from './owner.ts'

const AWAY = { code: 'unavailable', cause: { message: expect.stringContaining(MARKER) } }

let folder: string
let inputPath: string
let outputPath: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-marker-'))
  inputPath = join(folder, 'images/input')
  outputPath = join(folder, 'images/output')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** As an unmounted volume leaves it; what it resolves with mounts it again. */
async function unmount(): Promise<() => Promise<void>> {
  const images = join(folder, 'images')
  await rename(images, `${images}.away`)
  for (const path of [inputPath, outputPath]) await mkdir(path, { recursive: true })
  return async () => {
    await rm(images, { recursive: true })
    await rename(`${images}.away`, images)
  }
}

async function below(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).toSorted()
}

async function textOf(blobs: BlobStore, key: Parameters<BlobStore['get']>[0]): Promise<string | null> {
  const blob = await blobs.get(key)
  return blob === null ? null : await new Response(blob.body).text()
}

describe('folders that are marked', () => {
  it('are away while their volume is: nothing is gone, and nothing is written below the mount point', async () => {
    const blobs = filesystemBlobs({ inputPath, outputPath, marked: true })
    for (const path of [inputPath, outputPath, inputPath]) await mark(path)
    const [original, variant] = [originalKey(newTaskId(), 'jpeg'), variantKey(newTaskId(), 'v', 'jpeg')]
    for (const key of [original, variant]) await blobs.put(key, Buffer.from(key))
    const mount = await unmount()
    for (const key of [original, variant]) {
      await expect(blobs.get(key)).rejects.toMatchObject(AWAY)
      await expect(blobs.asFile(key)).rejects.toMatchObject(AWAY)
      await expect(blobs.delete(key)).rejects.toMatchObject(AWAY)
      await expect(blobs.put(key, randomBytes(9))).rejects.toMatchObject(AWAY)
      await expect(blobs.copy(key, originalKey(newTaskId(), 'jpeg'))).rejects.toMatchObject(AWAY)
    }
    expect(await below(join(folder, 'images'))).toEqual(['input', 'output'])
    // The folders need not even be there.
    await rm(join(folder, 'images'), { recursive: true })
    await expect(blobs.put(original, randomBytes(9))).rejects.toMatchObject(AWAY)
    expect(await readdir(folder)).toEqual(['images.away'])
    await mkdir(join(folder, 'images'))
    await mount()
    for (const key of [original, variant]) expect(await textOf(blobs, key)).toBe(key)
    expect(await blobs.get(originalKey(newTaskId(), 'jpeg'))).toBeNull()
    expect(await blobs.asFile(originalKey(newTaskId(), 'jpeg'))).toBeNull()
    expect(await blobs.copy(originalKey(newTaskId(), 'jpeg'), original)).toBe(false)
  })

  it('list their tasks, and no marker', async () => {
    await mark(inputPath)
    const blobs = filesystemBlobs({ inputPath, outputPath, marked: true })
    expect(await blobs.listTasks('', 10)).toEqual([])
  })
})

describe('a start', () => {
  const errors: unknown[] = []
  beforeEach(() => void (errors.length = 0))

  function parts(tasks: MarkParts['tasks']): MarkParts {
    const blobs = filesystemBlobs({ inputPath, outputPath, marked: true })
    return { tasks, blobs, onError: (error) => void errors.push(error), gcGraceMs: DAY_MS, againMs: 1 }
  }

  async function started() {
    const env = { STORAGE_INPUT_PATH: inputPath, STORAGE_OUTPUT_PATH: outputPath }
    const config = readConfig({ ...env, SQLITE_FILE: join(folder, 'tasks.sqlite') })
    return await openLocal(config, { onError: (error) => void errors.push(error) })
  }

  it('marks the folders of a new task store, with or without files in them', async () => {
    await mkdir(join(inputPath, newTaskId()), { recursive: true })
    const bindings = await started()
    const { blobs } = bindings
    expect((await readdir(outputPath)).toSorted()).toEqual([OWNER, MARKER])
    expect(await readdir(inputPath)).toContain(MARKER)
    expect(await blobs.put(originalKey(newTaskId(), 'jpeg'), randomBytes(9))).toMatchObject({ created: true })
    await bindings.close()
    expect(errors).toEqual([])
  })

  it('makes no marker again: without one the volume is away, and that is said', async () => {
    const first = await started()
    const key = originalKey(newTaskId(), 'jpeg')
    await first.blobs.put(key, Buffer.from('bytes'))
    await first.close()
    const mount = await unmount()
    const bindings = await started()
    const { blobs } = bindings
    expect(errors).toMatchObject([AWAY, AWAY])
    await expect(blobs.get(key)).rejects.toMatchObject(AWAY)
    await expect(blobs.put(originalKey(newTaskId(), 'jpeg'), randomBytes(9))).rejects.toMatchObject(AWAY)
    expect(await below(join(folder, 'images'))).toEqual(['input', 'output'])
    await mount()
    expect(await textOf(blobs, key)).toBe('bytes')
    await bindings.close()
  })

  it('of another task store than that of the files says so, and readers and writers go on', async () => {
    const first = await started()
    const key = originalKey(newTaskId(), 'jpeg')
    await first.blobs.put(key, Buffer.from('bytes'))
    await first.close()
    await rename(join(folder, 'tasks.sqlite'), join(folder, 'elsewhere.sqlite'))
    for (let time = 1; time <= 2; time++) {
      const bindings = await started()
      expect(errors).toHaveLength(time)
      expect(errors.at(-1)).toBeInstanceOf(ForeignFiles)
      expect(await textOf(bindings.blobs, key)).toBe('bytes')
      expect(await bindings.blobs.put(originalKey(newTaskId(), 'jpeg'), randomBytes(9))).toMatchObject({
        created: true,
      })
      await bindings.close()
    }
  })

  it('goes on where the task store is away, and marks the folders once it is back', async () => {
    const away = new Error('away')
    const cursors = new Map<string, string>()
    let asked = 0
    const tasks = {
      readCursor: async (name: string) => {
        if (++asked < 3) throw away
        return cursors.get(name) ?? null
      },
      writeCursor: async (name: string, value: string) => void cursors.set(name, value),
    }
    const stop = await markStorage(
      { inputPath, outputPath, allowHosts: [] },
      parts({ ...tasks, get: async () => null }),
    )
    await expect.poll(() => cursors.size).toBe(2)
    expect(errors).toEqual([away, away])
    expect((await readdir(outputPath)).toSorted()).toEqual([OWNER, MARKER])
    stop()
  })

  it('that is over asks no more', async () => {
    const readCursor = async (): Promise<never> => await Promise.reject(new Error('away'))
    const writeCursor = async (): Promise<void> => {}
    const tasks = { readCursor, writeCursor, get: readCursor }
    const stop = await markStorage({ inputPath, outputPath, allowHosts: [] }, parts(tasks))
    stop()
    await new Promise((resolve) => setTimeout(resolve, 20))
    const before = errors.length
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(errors.length).toBe(before)
  })
})
