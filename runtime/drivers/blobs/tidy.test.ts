/** What a process that was killed in mid-put leaves on the disk. */
import { randomBytes, randomUUID } from 'node:crypto'
import { link, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey, variantKey } from '#shared/variant.ts'
import { filesystemBlobs } from './filesystem.ts'

const BEFORE = 1_700_000_000_000

let folder: string
let blobs: BlobStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-tidy-'))
  blobs = filesystemBlobs({ inputPath: join(folder, 'input'), outputPath: join(folder, 'output') })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function written(path: string, at: number): Promise<void> {
  await writeFile(path, randomBytes(10), { flag: 'a' })
  await utimes(path, at / 1_000, at / 1_000)
}

it('goes, in both folders, and files with a name of their own stay however old', async () => {
  const id = newTaskId()
  await blobs.put(originalKey(id, 'jpeg'), randomBytes(10))
  await blobs.put(variantKey(id, 'a', 'jpeg'), randomBytes(10))
  for (const kind of ['input', 'output']) {
    const own = join(folder, kind, id)
    const [file] = await readdir(own)
    await written(join(own, file!), BEFORE - 2)
    await written(join(own, `.tmp-${randomUUID()}`), BEFORE - 1)
    // Killed between its link and the end of its temp name: the same file under two names.
    await link(join(own, file!), join(own, `.tmp-${randomUUID()}`))
  }
  await blobs.tidy(id, BEFORE)
  expect(await readdir(join(folder, 'input', id))).toEqual(['original.jpg'])
  expect(await readdir(join(folder, 'output', id))).toEqual(['a.jpg'])
})

it('stays as long as it is not older than was asked for', async () => {
  const id = newTaskId()
  await blobs.put(originalKey(id, 'jpeg'), randomBytes(10))
  const temp = `.tmp-${randomUUID()}`
  await written(join(folder, 'input', id, temp), BEFORE)
  await blobs.tidy(id, BEFORE)
  expect(await readdir(join(folder, 'input', id))).toEqual([temp, 'original.jpg'])
  await blobs.tidy(id, BEFORE + 1)
  expect(await readdir(join(folder, 'input', id))).toEqual(['original.jpg'])
})

it('takes the folder along that held nothing else', async () => {
  const id = newTaskId()
  await blobs.put(originalKey(id, 'jpeg'), randomBytes(10))
  await blobs.put(variantKey(id, 'a', 'jpeg'), randomBytes(10))
  await written(join(folder, 'output', id, `.tmp-${randomUUID()}`), BEFORE - 1)
  await rm(join(folder, 'output', id, 'a.jpg'))
  await blobs.tidy(id, BEFORE)
  expect(await readdir(join(folder, 'output'))).toEqual([])
})
