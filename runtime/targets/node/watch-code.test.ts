import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../../test/runtime/until.ts'
import type { LoadedFunction } from '../../loader.ts'
import { watchCode } from './watch-code.ts'

describe('watching the code', () => {
  let root: string
  let stop: () => void
  const reloaded: string[] = []
  const stale: string[] = []

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'revela-watch-'))
    for (const folder of ['functions/a', 'functions/b', 'shared']) await mkdir(join(root, folder), { recursive: true })
    const functions = ['a', 'b'].map((name) => ({ name }) as LoadedFunction)
    reloaded.length = 0
    stale.length = 0
    stop = watchCode({
      functions,
      folder: join(root, 'functions'),
      sharedFolder: join(root, 'shared'),
      onCode: ({ name }) => void reloaded.push(name),
      onConfig: (name) => void stale.push(name),
    })
  })
  afterEach(async () => {
    stop()
    await rm(root, { recursive: true, force: true })
  })

  it('reloads the function whose file changed, once for a burst of changes', async () => {
    for (let i = 0; i < 5; i++) await writeFile(join(root, 'functions/b/index.ts'), String(i))
    await until('it is reloaded', () => reloaded.length > 0)
    expect(reloaded).toEqual(['b'])
  })

  it('reloads all for a change in shared/', async () => {
    await writeFile(join(root, 'shared/task.ts'), '')
    await until('both are reloaded', () => reloaded.length > 1)
    expect(reloaded.toSorted()).toEqual(['a', 'b'])
  })

  it('reloads nothing for a test, a note or a folder that is no function', async () => {
    for (const file of ['functions/a/index.test.ts', 'functions/a/notes.md', 'functions/other.ts', 'shared/x.json']) {
      await writeFile(join(root, file), '')
    }
    await writeFile(join(root, 'functions/b/index.ts'), '')
    await until('what counts is reloaded', () => reloaded.length > 0)
    expect(reloaded).toEqual(['b'])
  })

  it('tells of a config that changed, and of a function that is new: once for a burst of changes', async () => {
    await mkdir(join(root, 'functions/new'))
    for (const file of ['new/config.ts', 'new/index.ts', 'new/index.test.ts', 'a/config.ts', 'b/index.ts']) {
      await writeFile(join(root, 'functions', file), '')
    }
    await until('both are told', () => stale.length > 1 && reloaded.length > 1)
    expect(stale.toSorted()).toEqual(['a', 'new'])
    expect(reloaded.toSorted()).toEqual(['a', 'b'])
  })

  it('reloads nothing any more once it has stopped', async () => {
    await writeFile(join(root, 'functions/a/index.ts'), '')
    stop()
    await writeFile(join(root, 'functions/b/index.ts'), '')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(reloaded).toEqual([])
  })
})
