import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startProcess } from '../../../test/runtime/child.ts'
import { tempFile } from './temp-file.ts'

const WRITER = new URL('../../../test/runtime/temp-file-process.ts', import.meta.url)
const onLinux = process.platform === 'linux'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-temp-'))
  vi.stubEnv('TMPDIR', folder)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

async function* partsOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 10_000) yield bytes.subarray(at, at + 10_000)
}

describe.runIf(onLinux)('of a process that is killed', () => {
  it.each(['in mid-write', 'with the file whole'])('nothing is left: %s', async (moment) => {
    await using writer = startProcess(WRITER, [], { TMPDIR: folder })
    await writer.line('the first part is written', (line) => line === 'half')
    if (moment === 'with the file whole') {
      writer.child.stdin!.write('go on\n')
      await writer.line('its path', (line) => line.startsWith('/'))
    }
    process.kill(writer.pid, 'SIGKILL')
    await writer.exit
    expect(await readdir(folder)).toEqual([])
  })
})

/** Of the folder: names in it, and files of it that are open, with a name or without. */
async function traces(): Promise<{ names: number; open: number }> {
  const links = onLinux ? (await readdir('/proc/self/fd')).map((fd) => `/proc/self/fd/${fd}`) : []
  const targets = await Promise.all(links.map((link) => readlink(link).catch(() => '')))
  return { names: (await readdir(folder)).length, open: targets.filter((path) => path.startsWith(folder)).length }
}
const NONE = { names: 0, open: 0 }

// The second: as where no path leads to an open file.
describe.each([...(onLinux ? [undefined] : []), '/nowhere'])('a file, by way of %s', (openFiles) => {
  it('can be read from its beginning, any number of times, until it is disposed of', async () => {
    const bytes = randomBytes(123_456)
    const file = await tempFile(partsOf(bytes), openFiles)
    for (let time = 0; time < 2; time++) expect(bytes.equals(await readFile(file.path))).toBe(true)
    expect((await traces()).names).toBe(openFiles === undefined ? 0 : 1)
    await file[Symbol.asyncDispose]()
    expect(await traces()).toEqual(NONE)
    await file[Symbol.asyncDispose]()
  })

  it('is gone when its source fails', async () => {
    const failure = new Error('of the source')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield randomBytes(10)
      throw failure
    }
    await expect(tempFile(failing(), openFiles)).rejects.toBe(failure)
    expect(await traces()).toEqual(NONE)
  })
})
