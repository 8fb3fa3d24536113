/** A MongoDB that is away, silent, or killed while it writes: what was acknowledged stays, and nobody waits for it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { isTerminal, newTaskId } from '#shared/task.ts'
import { NOT_RUN_HEADER } from '#shared/verdict.ts'
import { CALL_MS } from '../../runtime/drivers/mongodb/connection.ts'
import { hasOwnMongo, mongoServer, ownMongo } from '../servers/mongo.ts'
import type { OwnServer } from '../servers/own.ts'
import { type MongoPair, openPair, untilAnswered } from './mongo-store.ts'
import { CLAIM, FAILURE, keyRequest, sampleDerived, sampleMessage, sampleTask } from './samples.ts'

/** What a client is promised: an outage is told within this. */
const TOLD_MS = 2_000
/** Longer than `close` waits for a server. */
const CLOSED_MS = 2_500
const UNAVAILABLE = { code: 'unavailable', status: 503, headers: { 'Retry-After': '2', [NOT_RUN_HEADER]: '1' } }

/** One call of each method. */
function everyCall(tasks: TaskStore): Record<string, () => Promise<unknown>> {
  const task = sampleTask()
  const { id } = task
  const callback = { url: 'https://a.test/', status: 'pending', attempts: 1, lastStatus: null } as const
  return {
    create: () => tasks.create(task, sampleMessage(task)),
    get: () => tasks.get(id),
    list: () => tasks.list({ limit: 1 }),
    claim: () => tasks.claim(id, CLAIM),
    advance: () => tasks.advance(id, 1, { progress: 1 }),
    settle: () => tasks.settle(id, 1, FAILURE),
    recordDerived: () => tasks.recordDerived(id, '10x10', 'webp', sampleDerived(id)),
    recordCallback: () => tasks.recordCallback(id, callback, 1),
    discardOriginal: () => tasks.discardOriginal(id),
    delete: () => tasks.delete(id),
    due: () => tasks.due(1, 1),
    postpone: () => tasks.postpone(id, 1, 2),
    expired: () => tasks.expired(1, 1),
    claimTick: () => tasks.claimTick('sweep', Date.now()),
    reserveKey: () => tasks.reserveKey(keyRequest()),
    renewKey: () => tasks.renewKey('order-1', 'k1', 1),
    releaseKey: () => tasks.releaseKey('order-1', 'k1', keyRequest()),
    prune: () => tasks.prune(1),
    readCursor: () => tasks.readCursor('gc'),
    writeCursor: () => tasks.writeCursor('gc', 'a'),
    changes: async () => await tasks.changes(id, new AbortController().signal)[Symbol.asyncIterator]().next(),
  }
}

/** Each call rejects with 503, before a timer that was started with it: however busy the machine is. */
async function expectUnavailable(tasks: TaskStore): Promise<void> {
  const calls = Object.entries(everyCall(tasks))
  const outcomes = await Promise.all(
    calls.map(async ([name, call]) => {
      const late = sleep(TOLD_MS).then(() => 'too late')
      const outcome = await Promise.race([call(), late]).catch((error: unknown) => error)
      return [name, outcome]
    }),
  )
  for (const [name, outcome] of outcomes) expect([name, outcome]).toEqual([name, expect.objectContaining(UNAVAILABLE)])
}

const server = await mongoServer()

test.skipIf(!server || !new URL(server).password)('a wrong password is an outage, told of once', async () => {
  const url = new URL(server!)
  url.password = 'wrong'
  const pair = await openPair(url.href, { callMs: CALL_MS })
  await expect(pair.tasks.get(newTaskId())).rejects.toMatchObject(UNAVAILABLE)
  await expect(pair.tasks.get(newTaskId())).rejects.toMatchObject(UNAVAILABLE)
  expect(pair.errors).toEqual([expect.objectContaining({ code: 18 })])
  await Promise.all(pair.connections.map((mongo) => mongo.close()))
})

describe.skipIf(!hasOwnMongo())('with a MongoDB of its own', () => {
  let own: OwnServer
  let pair: MongoPair
  beforeEach(async () => {
    own = (await ownMongo())!
    pair = await openPair(own.uri, { callMs: CALL_MS })
  })
  afterEach(async () => {
    await Promise.all(pair.connections.map((mongo) => mongo.close()))
    await own[Symbol.asyncDispose]()
  })

  test('one that is away at the start is met by the calls; when it is there, all is made and they are answered', async () => {
    await own.kill()
    await expectUnavailable(pair.tasks)
    await expectUnavailable(pair.tasks)
    expect(pair.errors).toHaveLength(1)
    await own.start()
    const task = sampleTask()
    expect(await untilAnswered(() => pair.tasks.create(task, sampleMessage(task)))).toBe('created')
    const names = await pair.connections[0].call('test', async (db) =>
      (await db.collection('tasks').indexes()).map(({ name }) => name),
    )
    expect(names).toContain('tasks_by_status')
  })

  test('one that is silent keeps nobody waiting, not even who closes; when it speaks again, all goes on', async () => {
    const task = sampleTask()
    await pair.tasks.create(task, sampleMessage(task))
    const closing = await openPair(own.uri, { callMs: CALL_MS })
    await closing.tasks.claimTick('sweep', 1)
    await closing.tasks.claimTick('sweep', 2)
    // Left half-way: to close means to tell the server.
    await closing.connections[0].call('test', (db) => db.collection('ticks').find({}, { batchSize: 1 }).next())
    own.freeze()
    // The second has met no server yet.
    await Promise.all([expectUnavailable(pair.tasks), expectUnavailable(pair.second)])
    await expectUnavailable(pair.tasks)
    const closed = closing.connections.map((mongo) => mongo.close())
    expect(await Promise.race([Promise.all(closed), sleep(CLOSED_MS).then(() => 'too late')])).not.toBe('too late')
    own.thaw()
    expect(await untilAnswered(() => pair.tasks.get(task.id))).toEqual(task)
    expect(await untilAnswered(() => pair.second.claim(task.id, CLAIM))).toMatchObject({ fence: 1 })
  })

  test('one that is killed and comes back is found again, also by who waits for a task', async () => {
    const task = sampleTask()
    await pair.tasks.create(task, sampleMessage(task))
    await pair.tasks.claim(task.id, CLAIM)
    const ended = (async () => {
      for await (const state of pair.tasks.changes(task.id, new AbortController().signal)) {
        if (state && isTerminal(state)) return state
      }
      return null
    })()
    await expect.poll(() => pair.tasks.polls()).toBeGreaterThan(0)
    await own.kill()
    await expectUnavailable(pair.tasks)
    await expectUnavailable(pair.second)
    await own.start()
    // Claimed again: a claim is no more than a lease, and may be lost.
    const { fence } = (await untilAnswered(() => pair.second.claim(task.id, CLAIM)))!
    await untilAnswered(() => pair.second.settle(task.id, fence, FAILURE))
    expect(await ended).toMatchObject({ status: 'failed' })
    expect(await untilAnswered(() => pair.tasks.get(task.id))).toMatchObject({ status: 'failed' })
  })

  test('after close every call is refused', async () => {
    await pair.tasks.get(newTaskId())
    await pair.connections[0].close()
    await expectUnavailable(pair.tasks)
    expect(await pair.second.get(newTaskId())).toBeNull()
  })
})
