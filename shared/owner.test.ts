import { expect, test } from 'vitest'
import { checkOwner, ForeignFiles } from './owner.ts'
import { newTaskId } from './task.ts'
import { testBindings } from '../test/bindings.ts'
import { completedTask } from '../test/tasks.ts'
import { originalKey } from './variant.ts'

const LATER = Date.now() + 60_000

/** Another task store over the same files. */
async function beside(env: Awaited<ReturnType<typeof testBindings>>) {
  const other = await testBindings()
  return { tasks: other.tasks, blobs: env.blobs, [Symbol.asyncDispose]: () => other[Symbol.asyncDispose]() }
}

test('a new store and no files: both get an id, which stays', async () => {
  await using env = await testBindings()
  await checkOwner(env, LATER)
  const owners = await env.blobs.owners()
  expect(owners).toHaveLength(1)
  await checkOwner(env, LATER)
  expect(await env.blobs.owners()).toEqual(owners)
})

test('an empty store over files with an owner is refused, again and again, and changes nothing', async () => {
  await using env = await testBindings()
  await checkOwner(env, LATER)
  await using wrong = await beside(env)
  for (let time = 0; time < 3; time++) await expect(checkOwner(wrong, LATER)).rejects.toThrow(ForeignFiles)
  await checkOwner(env, LATER)
})

test('two stores that have files of their own are not taken for one another', async () => {
  await using env = await testBindings()
  await using other = await testBindings()
  for (const each of [env, other]) await checkOwner(each, LATER)
  await expect(checkOwner({ tasks: other.tasks, blobs: env.blobs }, LATER)).rejects.toThrow(/another owner/)
})

test('files from before there were ids go to the store that knows one of their tasks, and to no other', async () => {
  await using env = await testBindings()
  await env.blobs.put(originalKey(newTaskId(1), 'jpeg'), Buffer.from('an orphan'))
  await completedTask(env)
  await using wrong = await beside(env)
  await expect(checkOwner(wrong, LATER)).rejects.toThrow(/knows none/)
  expect(await env.blobs.owners()).toEqual([])
  await checkOwner(env, LATER)
  await expect(checkOwner(wrong, LATER)).rejects.toThrow(ForeignFiles)
})

test('files that nobody would collect yet say nothing', async () => {
  await using env = await testBindings()
  const id = newTaskId()
  await env.blobs.put(originalKey(id, 'jpeg'), Buffer.from('an upload under way'))
  await checkOwner(env, Date.now() - 60_000)
  expect(await env.blobs.owners()).toHaveLength(1)
})

test('many processes at once agree', async () => {
  await using env = await testBindings()
  await Promise.all(Array.from({ length: 20 }, () => checkOwner(env, LATER)))
  await checkOwner(env, LATER)
  expect(await env.blobs.owners()).toHaveLength(1)
})

test('one that died before the files had the id, or before the store had it, is gone on from', async () => {
  await using env = await testBindings()
  const dying = async (): Promise<never> => {
    throw new Error('killed')
  }
  const owners = async (note?: string): Promise<string[]> => (note === undefined ? [] : await dying())
  await expect(checkOwner({ ...env, blobs: { ...env.blobs, owners } }, LATER)).rejects.toThrow('killed')
  const tasks = { ...env.tasks, writeCursor: dying }
  await expect(checkOwner({ ...env, tasks }, LATER)).rejects.toThrow('killed')
  const noted = await env.blobs.owners()
  expect(noted).toHaveLength(1)
  for (let time = 0; time < 2; time++) await checkOwner(env, LATER)
  expect(await env.blobs.owners()).toEqual(noted)
})
