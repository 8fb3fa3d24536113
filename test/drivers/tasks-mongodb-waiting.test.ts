/** Who waits for a task: told by a notifier, else by one look for all; and who waits for a message to be taken. */
import type { CommandStartedEvent } from 'mongodb'
import { afterEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { taskSettled } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { mongoServer } from '../servers/mongo.ts'
import { type MongoPair, NEVER_MS, notifierHub, openPair, type PairOptions } from './mongo-store.ts'
import { CLAIM, FAILURE, sampleMessage, sampleTask, times } from './samples.ts'

const server = await mongoServer()

async function untilTerminal(store: TaskStore, id: string, signal: AbortSignal): Promise<Task | null> {
  for await (const task of store.changes(id, signal)) if (task === null || isTerminal(task)) return task
  return null
}

describe.skipIf(server === null)('on a MongoDB', () => {
  let pair: MongoPair
  let waits: AbortController
  afterEach(async () => {
    waits.abort()
    await pair.close()
  })

  const open = async (options: PairOptions): Promise<void> => {
    waits = new AbortController()
    pair = await openPair(server!, options)
  }
  const claimed = async (): Promise<string> => {
    const task = sampleTask()
    await pair.tasks.create(task, sampleMessage(task))
    await pair.tasks.claim(task.id, CLAIM)
    return task.id
  }
  const wait = (id: string) => untilTerminal(pair.tasks, id, waits.signal)
  /** Begins to wait, and resolves when the first state was read. */
  const waiting = async (id: string) => {
    const states = pair.tasks.changes(id, waits.signal)[Symbol.asyncIterator]()
    await states.next()
    return states
  }

  test('without a notifier one query looks for all who wait, and is counted', async () => {
    await open({ pollMs: 20 })
    const ids = await times(30, claimed)
    const looks: number[] = []
    await pair.connections[0].call('test', async ({ client }) => {
      client.on('commandStarted', ({ command }: CommandStartedEvent) => {
        const asked = /"_id":\{"\$in":(\[[^\]]*\])/.exec(JSON.stringify(command['filter'] ?? null))
        if (asked) looks.push((JSON.parse(asked[1]!) as string[]).length)
      })
    })
    const all = [...ids, ...ids].map(wait)
    await expect.poll(() => pair.tasks.polls()).toBeGreaterThan(2)
    expect(pair.second.polls()).toBe(0)
    await Promise.all(ids.map((id) => pair.second.settle(id, 1, FAILURE)))
    for (const task of await Promise.all(all)) expect(task).toMatchObject({ status: 'failed' })
    expect(Math.max(...looks)).toBe(ids.length)
    expect(looks).toHaveLength(pair.tasks.polls())
  })

  test('with a notifier nobody looks: what another process does is told', async () => {
    const hub = notifierHub()
    await open({ pollMs: 20, notifier: hub.notifier })
    const ids = await times(5, claimed)
    const all = ids.map(wait)
    await Promise.all(ids.map((id) => pair.second.settle(id, 1, FAILURE)))
    expect(await Promise.all(all)).toHaveLength(5)
    const states = await waiting(ids[0]!)
    const gone = states.next()
    await pair.second.delete(ids[0]!)
    expect((await gone).value).toBeNull()
    expect(await states.next()).toMatchObject({ done: true })
    expect(pair.tasks.polls()).toBe(0)
    expect(hub.subscriptions()).toBe(0)
  })

  test('one that is away is made up for by looking, until it is back', async () => {
    const hub = notifierHub()
    await open({ pollMs: 20, notifier: hub.notifier })
    const id = await claimed()
    const states = await waiting(id)
    const advanced = states.next()
    hub.state.connected = false
    await pair.second.advance(id, 1, { progress: 0.5 })
    expect((await advanced).value).toMatchObject({ progress: 0.5 })
    expect(pair.tasks.polls()).toBeGreaterThan(0)
    hub.state.connected = true
    const settled = states.next()
    await pair.second.settle(id, 1, FAILURE)
    expect((await settled).value).toMatchObject({ status: 'failed' })
  })

  test('this process’s own changes need neither', async () => {
    await open({ pollMs: NEVER_MS })
    const id = await claimed()
    const all = [wait(id), wait(id)]
    await pair.tasks.settle(id, 1, FAILURE)
    for (const task of await Promise.all(all)) expect(task).toMatchObject({ status: 'failed' })
    expect(pair.tasks.polls()).toBe(0)
  })

  test('what no reader can see is not told', async () => {
    const hub = notifierHub()
    await open({ pollMs: NEVER_MS, notifier: hub.notifier })
    const task = sampleTask({ nextCheckAt: 1_000 })
    await pair.tasks.create(task, sampleMessage(task))
    const before = hub.state.published
    await pair.tasks.postpone(task.id, 1_000, 2_000)
    await pair.tasks.settle(task.id, 1, FAILURE)
    expect(hub.state.published).toBe(before)
    await pair.tasks.claim(task.id, CLAIM)
    expect(hub.state.published).toBe(before + 1)
  })

  test('a queue that is away fails neither create nor settle, and is told of', async () => {
    await open({ send: () => Promise.reject(new Error('away')) })
    const id = await claimed()
    expect(await pair.tasks.settle(id, 1, FAILURE, { message: taskSettled(id), nextCheckAt: 1 })).toBe(true)
    expect(pair.errors).toEqual([new Error('away'), new Error('away')])
    expect(await pair.tasks.due(1, 1)).toHaveLength(1)
  })

  test('a queue that never answers keeps nobody waiting', async () => {
    await open({ send: () => new Promise(() => {}) })
    const id = await claimed()
    expect(await pair.second.get(id)).toMatchObject({ id, status: 'processing' })
    expect(pair.errors).toEqual([expect.objectContaining({ message: expect.stringContaining('not taken') })])
  })
})
