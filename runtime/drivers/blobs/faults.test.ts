/** A file system that fails at a chosen call: full, read-only, without hard links; and the order of calls on a good one. */
import { mkdtemp, readdir, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import { filesystemBlobs } from './filesystem.ts'

type Fault = (call: string) => string | undefined

const disk = vi.hoisted(() => ({ calls: [] as string[], fault: (() => undefined) as Fault }))

vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof import('node:fs/promises')>()
  type Call = (...args: unknown[]) => unknown

  /** Records the call as `name file`, and fails it where the test wants that. */
  function watched<T extends (...args: never[]) => unknown>(name: string, file: (args: unknown[]) => string, call: T) {
    return (async (...args: unknown[]) => {
      const record = `${name} ${file(args)}`
      disk.calls.push(record)
      const code = disk.fault(record)
      if (code !== undefined) throw Object.assign(new Error(`${code}: injected`), { code })
      return await (call as unknown as Call)(...args)
    }) as unknown as T
  }
  const nameOf = (path: unknown): string => {
    const name = basename(String(path))
    if (name.startsWith('.tmp-')) return 'temp'
    return /^[0-9a-f-]{36}$/.test(name) ? 'folder' : name
  }
  const first = (args: unknown[]): string => nameOf(args[0])
  const watchedHandle = (handle: FileHandle, file: string): FileHandle => {
    for (const name of ['writev', 'sync', 'read', 'stat'] as const) {
      Object.assign(handle, { [name]: watched(name, () => file, handle[name].bind(handle)) })
    }
    return handle
  }
  return {
    ...real,
    mkdir: watched('mkdir', first, real.mkdir),
    link: watched('link', first, real.link),
    rename: watched('rename', first, real.rename),
    copyFile: watched('copyFile', (args) => nameOf(args[1]), real.copyFile),
    unlink: watched('unlink', first, real.unlink),
    open: watched('open', first, async (...args: Parameters<typeof real.open>) =>
      watchedHandle(await real.open(...args), nameOf(args[0])),
    ),
  }
})

let folder: string
let inputPath: string
let blobs: BlobStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-faults-'))
  inputPath = join(folder, 'input')
  blobs = filesystemBlobs({ inputPath, outputPath: join(folder, 'output') })
  disk.calls = []
  disk.fault = () => undefined
})
afterEach(async () => {
  disk.fault = () => undefined
  await rm(folder, { recursive: true, force: true })
})

function failAt(call: string, code: string): void {
  disk.fault = (name) => (name === call ? code : undefined)
}

async function contentOf(key: ReturnType<typeof originalKey>): Promise<string | null> {
  const blob = await blobs.get(key)
  return blob === null ? null : await new Response(blob.body).text()
}

describe('durability', () => {
  it('syncs the bytes before the name is there, and the folders before the put resolves', async () => {
    await blobs.put(originalKey(newTaskId(), 'jpeg'), Buffer.from('bytes'))
    expect(disk.calls).toEqual([
      'mkdir folder',
      // The very first put: input/ is new as well.
      `open ${basename(folder)}`,
      `sync ${basename(folder)}`,
      'open temp',
      'writev temp',
      'sync temp',
      'link temp',
      'unlink temp',
      'open folder',
      'open input',
      expect.stringMatching(/^sync (folder|input)$/),
      expect.stringMatching(/^sync (folder|input)$/),
    ])
    expect(disk.calls).toEqual(expect.arrayContaining(['sync folder', 'sync input']))
  })

  it('syncs the folder also for a put that found the file there', async () => {
    const key = originalKey(newTaskId(), 'jpeg')
    await blobs.put(key, Buffer.from('bytes'))
    disk.calls = []
    expect(await blobs.put(key, Buffer.from('others'))).toMatchObject({ created: false, bytes: 5 })
    expect(disk.calls).toEqual(expect.arrayContaining(['sync folder', 'sync input']))
  })

  it('syncs the folder of a copy', async () => {
    const [from, to] = [originalKey(newTaskId(), 'jpeg'), originalKey(newTaskId(), 'jpeg')]
    await blobs.put(from, Buffer.from('bytes'))
    disk.calls = []
    await blobs.copy(from, to)
    expect(disk.calls.slice(-2).sort()).toEqual(['sync folder', 'sync input'])
  })

  it('syncs the folder of a file that is deleted, and the one above where it is gone', async () => {
    const id = newTaskId()
    const key = originalKey(id, 'jpeg')
    await blobs.put(key, Buffer.from('bytes'))
    disk.calls = []
    await blobs.delete(key)
    expect(disk.calls).toEqual(['unlink original.jpg', 'open folder', 'sync folder'])
    expect(await readdir(inputPath)).toEqual([])
    disk.calls = []
    await blobs.delete(key)
    expect(disk.calls).toEqual(['unlink original.jpg', 'open folder', 'open input', 'sync input'])
  })

  it('calls no file gone whose name may come back', async () => {
    const key = originalKey(newTaskId(), 'jpeg')
    await blobs.put(key, Buffer.from('bytes'))
    failAt('sync folder', 'EIO')
    await expect(blobs.delete(key)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

it('does not touch the disk for a put that was aborted before', async () => {
  const put = blobs.put(originalKey(newTaskId(), 'jpeg'), Buffer.from('bytes'), AbortSignal.abort(new Error('gone')))
  await expect(put).rejects.toThrow('gone')
  expect(disk.calls).toEqual([])
})

describe('a disk that fails', () => {
  const steps = ['mkdir folder', 'open temp', 'writev temp', 'sync temp', 'link temp']
  const codes = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EIO', 'EMFILE']
  it.each(steps.flatMap((step) => codes.map((code) => [step, code] as const)))(
    'at %s with %s is `unavailable`, and nothing is left',
    async (step, code) => {
      const id = newTaskId()
      failAt(step, code)
      await expect(blobs.put(originalKey(id, 'jpeg'), Buffer.from('bytes'))).rejects.toMatchObject({
        code: 'unavailable',
        status: 503,
        cause: { code },
      })
      disk.fault = () => undefined
      expect(await readdir(inputPath).catch(() => [])).toEqual([])
      expect(await blobs.put(originalKey(id, 'jpeg'), Buffer.from('again'))).toMatchObject({ created: true })
    },
  )

  it('while reading is `unavailable`, and other errors are not', async () => {
    const key = originalKey(newTaskId(), 'jpeg')
    await blobs.put(key, Buffer.from('bytes'))
    failAt('read original.jpg', 'EIO')
    await expect(contentOf(key)).rejects.toMatchObject({ code: 'unavailable' })
    failAt('open original.jpg', 'EMFILE')
    await expect(contentOf(key)).rejects.toMatchObject({ code: 'unavailable' })
    failAt('open original.jpg', 'EINVAL')
    await expect(contentOf(key)).rejects.toMatchObject({ code: 'EINVAL' })
  })

  it('on a folder that cannot be synced at all does not matter', async () => {
    failAt('sync folder', 'EINVAL')
    expect(await blobs.put(originalKey(newTaskId(), 'jpeg'), Buffer.from('bytes'))).toMatchObject({ created: true })
    failAt('sync folder', 'EIO')
    await expect(blobs.put(originalKey(newTaskId(), 'jpeg'), Buffer.from('b'))).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  it.each(['ENOSPC', 'ENOENT'])('does not turn an error of the source into one of its own: %s', async (code) => {
    const error = Object.assign(new Error('of the source'), { code, path: '/elsewhere' })
    async function* source(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('bytes')
      throw error
    }
    await expect(blobs.put(originalKey(newTaskId(), 'jpeg'), source())).rejects.toBe(error)
  })
})

describe('a short write', () => {
  it('is gone on with', async () => {
    const key = originalKey(newTaskId(), 'jpeg')
    const { open } = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
    const probe = await open(join(folder, 'probe'), 'w')
    const prototype = Object.getPrototypeOf(probe) as FileHandle
    await probe.close()
    // eslint-disable-next-line typescript/unbound-method -- called with its handle below
    const writev = prototype.writev
    const spy = vi.spyOn(prototype, 'writev').mockImplementation(async function (this: FileHandle, buffers) {
      const bytes = Buffer.concat(buffers as Uint8Array[]).subarray(0, 7)
      return await writev.call(this, [bytes])
    })
    async function* source(): AsyncGenerator<Uint8Array> {
      for (const text of ['one ', 'two', ' three ', '', 'four five six seven']) yield Buffer.from(text)
    }
    await blobs.put(key, source())
    expect(spy.mock.calls.length).toBeGreaterThan(3)
    spy.mockRestore()
    expect(await contentOf(key)).toBe('one two three four five six seven')
  })
})

describe('a file system without hard links', () => {
  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])(
    '(%s) renames, but never over a file',
    async (code) => {
      const key = originalKey(newTaskId(), 'jpeg')
      disk.fault = (call) => (call.startsWith('link') ? code : undefined)
      expect(await blobs.put(key, Buffer.from('first'))).toMatchObject({ created: true, bytes: 5 })
      expect(await blobs.put(key, Buffer.from('second'))).toMatchObject({ created: false, bytes: 5 })
      expect(await contentOf(key)).toBe('first')
      expect(disk.calls.filter((call) => call.startsWith('rename'))).toHaveLength(1)
    },
  )

  it.each(['EPERM', 'EMLINK', 'EXDEV'])('(%s) copies, through a synced temp file', async (code) => {
    const [from, to] = [originalKey(newTaskId(), 'jpeg'), originalKey(newTaskId(), 'jpeg')]
    await blobs.put(from, Buffer.from('bytes'))
    disk.calls = []
    disk.fault = (call) => (call.startsWith('link') ? code : undefined)
    expect(await blobs.copy(from, to)).toBe(true)
    const order = ['copyFile temp', 'sync temp', 'rename temp', 'sync folder']
    expect(disk.calls.filter((call) => order.includes(call))).toEqual(order)
    await blobs.delete(from)
    expect(await contentOf(to)).toBe('bytes')
  })

  it('leaves nothing of a copy for which there is no space', async () => {
    const [from, to] = [newTaskId(), newTaskId()]
    await blobs.put(originalKey(from, 'jpeg'), Buffer.from('bytes'))
    disk.fault = (call) => (call.startsWith('link') ? 'EXDEV' : call === 'sync temp' ? 'ENOSPC' : undefined)
    const copy = blobs.copy(originalKey(from, 'jpeg'), originalKey(to, 'jpeg'))
    await expect(copy).rejects.toMatchObject({ code: 'unavailable' })
    expect(await readdir(inputPath)).toEqual([from])
  })
})
