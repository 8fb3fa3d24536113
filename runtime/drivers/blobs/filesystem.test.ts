import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { KIB, MIB } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey, variantKey } from '#shared/variant.ts'
import { filesystemBlobs } from './filesystem.ts'
import { READ_BYTES } from './read.ts'
import { WRITE_BYTES } from './write.ts'

let folder: string
let inputPath: string
let outputPath: string
let blobs: BlobStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-files-'))
  inputPath = join(folder, 'images', 'input')
  outputPath = join(folder, 'images', 'output')
  blobs = filesystemBlobs({ inputPath, outputPath })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function everyPath(): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort()
}

describe('layout', () => {
  it('keeps each kind of file where the README says', async () => {
    const id = newTaskId()
    await blobs.put(originalKey(id, 'jpeg'), Buffer.from('original'))
    await blobs.put(variantKey(id, '1024x1024', 'jpeg'), Buffer.from('variant'))
    expect(await readFile(join(inputPath, id, 'original.jpg'), 'utf8')).toBe('original')
    expect(await readFile(join(outputPath, id, '1024x1024.jpg'), 'utf8')).toBe('variant')
    expect(await readdir(join(inputPath, id))).toEqual(['original.jpg'])
    expect(await readdir(join(outputPath, id))).toEqual(['1024x1024.jpg'])
  })

  it('writes through a temp file in the same folder', async () => {
    const id = newTaskId()
    let during: string[] = []
    async function* source(): AsyncGenerator<Uint8Array> {
      yield randomBytes(WRITE_BYTES)
      during = await readdir(join(inputPath, id))
      yield randomBytes(1)
    }
    await blobs.put(originalKey(id, 'jpeg'), source())
    expect(during).toEqual([expect.stringMatching(/^\.tmp-/)])
  })

  it('leaves no temp file when the key was there', async () => {
    const key = originalKey(newTaskId(), 'jpeg')
    await blobs.put(key, randomBytes(10))
    const before = await everyPath()
    await blobs.put(key, randomBytes(20))
    expect(await everyPath()).toEqual(before)
  })

  it('takes an empty folder along with its last file', async () => {
    const id = newTaskId()
    await blobs.put(originalKey(id, 'jpeg'), randomBytes(10))
    await blobs.delete(originalKey(id, 'jpeg'))
    expect(existsSync(join(inputPath, id))).toBe(false)
    expect(existsSync(inputPath)).toBe(true)
  })

  it('links a copy instead of writing it', async () => {
    const [from, to] = [newTaskId(), newTaskId()]
    await blobs.put(originalKey(from, 'jpeg'), randomBytes(10))
    await blobs.copy(originalKey(from, 'jpeg'), originalKey(to, 'jpeg'))
    const [one, other] = await Promise.all([from, to].map((id) => stat(join(inputPath, id, 'original.jpg'))))
    expect(one!.ino).toBe(other!.ino)
  })

  it('takes no folder for a file, and lists no stranger', async () => {
    const id = newTaskId()
    await mkdir(join(inputPath, id, 'original.jpg'), { recursive: true })
    expect(await blobs.get(originalKey(id, 'jpeg'))).toBeNull()
    await mkdir(join(inputPath, 'lost+found'))
    await mkdir(join(inputPath, `${newTaskId()}.bak`))
    await mkdir(join(inputPath, newTaskId().toUpperCase()))
    await writeFile(join(inputPath, '.gitkeep'), '')
    await writeFile(join(inputPath, newTaskId()), 'a file where a folder belongs')
    expect(await blobs.listTasks('', 10)).toEqual([id])
  })
})

describe('after an aborted or failed put', () => {
  it('nothing is left, not even the folder of the task', async () => {
    await mkdir(inputPath, { recursive: true })
    const before = await everyPath()
    const abort = new AbortController()
    async function* source(): AsyncGenerator<Uint8Array> {
      yield randomBytes(WRITE_BYTES)
      yield randomBytes(WRITE_BYTES)
      abort.abort(new Error('gone'))
      yield randomBytes(WRITE_BYTES)
    }
    await expect(blobs.put(originalKey(newTaskId(), 'jpeg'), source(), abort.signal)).rejects.toThrow('gone')
    expect(await everyPath()).toEqual(before)
  })

  it('another put into the same folder goes on', async () => {
    const id = newTaskId()
    const names = Array.from({ length: 20 }, (_, index) => `v${index}`)
    for (let round = 0; round < 30; round++) {
      const results = await Promise.allSettled(
        names.map((name, index) => {
          const signal = index % 2 === 0 ? AbortSignal.abort(new Error('gone')) : undefined
          const afterwards = new AbortController()
          queueMicrotask(() => index % 3 === 0 && afterwards.abort(new Error('gone')))
          return blobs.put(variantKey(id, name, 'jpeg'), randomBytes(10), signal ?? afterwards.signal)
        }),
      )
      const expected = names.filter((_, index) => index % 2 !== 0 && index % 3 !== 0)
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(expected.length)
      await blobs.deleteTask(id)
    }
  })
})

describe('memory', () => {
  it('of a put is bounded: the source is asked for more only when the disk has what it gave', async () => {
    const id = newTaskId()
    let given = 0
    let heldMax = 0
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let chunk = 0; chunk < 320; chunk++) {
        const [temp] = await readdir(join(inputPath, id))
        const written = (await stat(join(inputPath, id, temp!))).size
        heldMax = Math.max(heldMax, given - written)
        given += 100 * KIB
        yield Buffer.alloc(100 * KIB)
      }
    }
    const { bytes } = await blobs.put(originalKey(id, 'jpeg'), source())
    expect(bytes).toBe(320 * 100 * KIB)
    expect(bytes).toBeGreaterThan(30 * MIB)
    expect(heldMax).toBeLessThanOrEqual(WRITE_BYTES)
  })

  it('of a get is bounded: nothing is read before it is asked for, and then one read', async () => {
    const id = newTaskId()
    await blobs.put(originalKey(id, 'jpeg'), Buffer.alloc(3 * READ_BYTES, 'a'))
    const blob = await blobs.get(originalKey(id, 'jpeg'))
    const path = join(inputPath, id, 'original.jpg')
    // Written over in place, which the store never does: what was read ahead would still be the old bytes.
    await writeFile(path, Buffer.alloc(3 * READ_BYTES, 'b'), { flag: 'r+' })
    const reader = blob!.body.getReader()
    const first = await reader.read()
    expect([first.value?.byteLength, String.fromCodePoint(first.value?.[0] ?? 0)]).toEqual([READ_BYTES, 'b'])
    await writeFile(path, Buffer.alloc(3 * READ_BYTES, 'c'), { flag: 'r+' })
    const second = await reader.read()
    expect([second.value?.byteLength, String.fromCodePoint(second.value?.[0] ?? 0)]).toEqual([READ_BYTES, 'c'])
    await reader.cancel()
  })

  it('a file that was cut short by someone else is an error, not a shorter answer', async () => {
    const id = newTaskId()
    await blobs.put(originalKey(id, 'jpeg'), Buffer.alloc(2 * READ_BYTES))
    const blob = await blobs.get(originalKey(id, 'jpeg'))
    await writeFile(join(inputPath, id, 'original.jpg'), Buffer.alloc(READ_BYTES))
    await expect(new Response(blob!.body).arrayBuffer()).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe.runIf(existsSync('/proc/self/fd'))('descriptors', () => {
  // Compared with `at most`: the runner and the test before may close some of theirs meanwhile.
  async function openFiles(): Promise<number> {
    return (await readdir('/proc/self/fd')).length
  }

  it.each([
    ['cancelled unread', async (body: ReadableStream<Uint8Array>) => await body.cancel()],
    ['read to their end', async (body: ReadableStream<Uint8Array>) => void (await new Response(body).arrayBuffer())],
    [
      'cancelled after one read',
      async (body: ReadableStream<Uint8Array>) => {
        const reader = body.getReader()
        await reader.read()
        await reader.cancel()
      },
    ],
    [
      'cancelled during a read',
      async (body: ReadableStream<Uint8Array>) => {
        const reader = body.getReader()
        await Promise.all([reader.read(), reader.cancel()])
      },
    ],
  ])('of 200 gets %s are closed', async (_how, end) => {
    const key = originalKey(newTaskId(), 'jpeg')
    await blobs.put(key, randomBytes(3 * READ_BYTES))
    const before = await openFiles()
    await Promise.all(Array.from({ length: 200 }, async () => await end((await blobs.get(key))!.body)))
    await expect.poll(openFiles).toBeLessThanOrEqual(before)
  })

  it('of 200 gets of an empty range or an empty file are closed once read', async () => {
    const [empty, key] = [originalKey(newTaskId(), 'jpeg'), originalKey(newTaskId(), 'jpeg')]
    await blobs.put(empty, new Uint8Array())
    await blobs.put(key, randomBytes(10))
    const before = await openFiles()
    for (let round = 0; round < 100; round++) {
      for (const blob of [await blobs.get(empty), await blobs.get(key, { start: 10, end: 12 })]) {
        expect((await new Response(blob!.body).arrayBuffer()).byteLength).toBe(0)
      }
    }
    await expect.poll(openFiles).toBeLessThanOrEqual(before)
  })

  it('of 200 aborted puts are closed, and their files gone', async () => {
    await mkdir(inputPath, { recursive: true })
    const before = await openFiles()
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const abort = new AbortController()
        async function* source(): AsyncGenerator<Uint8Array> {
          yield randomBytes(WRITE_BYTES)
          setImmediate(() => abort.abort(new Error('gone')))
          await new Promise(() => {})
        }
        await expect(blobs.put(originalKey(newTaskId(), 'jpeg'), source(), abort.signal)).rejects.toThrow('gone')
      }),
    )
    await expect.poll(openFiles).toBeLessThanOrEqual(before)
    expect(await readdir(inputPath)).toEqual([])
  })

  it('of 200 puts, copies, lists and second puts are closed', async () => {
    const before = await openFiles()
    for (let round = 0; round < 50; round++) {
      const [key, to] = [originalKey(newTaskId(), 'jpeg'), originalKey(newTaskId(), 'jpeg')]
      await blobs.put(key, randomBytes(10))
      await blobs.put(key, randomBytes(10))
      await blobs.copy(key, to)
      await blobs.listTasks('', 1)
    }
    await expect.poll(openFiles).toBeLessThanOrEqual(before)
  })
})
