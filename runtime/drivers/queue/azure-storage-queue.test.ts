import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { messageOfEvent } from '#shared/cloud-event.ts'
import type { DeadLetter } from '#shared/consumer.ts'
import { type Message, taskCreated, variantWanted } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { hasClients } from '../../../test/clouds/installed.ts'
import { eventOf, type StorageQueueServer, storageQueueServer } from '../../../test/clouds/storage-queue-server.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe.skipIf(!hasClients)('Azure Storage queues', () => {
  let storage: StorageQueueServer
  let message: Message
  beforeEach(async () => {
    storage = await storageQueueServer()
    message = variantWanted(newTaskId(), { variant: '800x800', format: 'webp' }, TRACE)
  })
  afterEach(async () => await storage[Symbol.asyncDispose]())
  const open = async (prefix = '') => {
    const { azureStorageQueue } = await import('./azure-storage-queue.ts')
    return azureStorageQueue({ connection: storage.connection, prefix })
  }

  test('a message is a CloudEvent in base64, on a queue that is made where it is missing, and does not expire', async () => {
    const queue = await open('revela-')
    await queue.send(message)
    await queue.send(taskCreated(newTaskId()))
    expect([...storage.queues.keys()]).toEqual(['revela-image-processing'])
    const [first, second] = storage.queues.get('revela-image-processing')!
    expect(messageOfEvent(eventOf(first!), 'image-processing')).toEqual(message)
    expect(eventOf(first!)).toMatchObject({
      specversion: '1.0',
      source: '/revela',
      datacontenttype: 'application/json',
    })
    expect([first!.timeToLive, second!.timeToLive]).toEqual([-1, -1])
  })

  test.each([
    [0, 0],
    [1, 1_000],
    [2_500, 3_000],
    [8 * 24 * 3_600_000, (7 * 24 * 3_600 - 1) * 1_000],
  ])('one that is to come after %i ms is not seen for %i ms, and has its count with it', async (afterMs, hiddenMs) => {
    const before = Date.now()
    await (await open()).later({ message, attempt: 3 }, afterMs)
    const [stored] = storage.queues.get('image-processing')!
    expect(stored!.visibleAt - before).toBeGreaterThanOrEqual(hiddenMs)
    expect(stored!.visibleAt - Date.now()).toBeLessThanOrEqual(hiddenMs)
    expect(eventOf(stored!)).toMatchObject({ id: message.id, attempt: 3 })
  })

  test('a dead letter lies where the trigger puts what failed too often, with why', async () => {
    const letter: DeadLetter = { message, reason: 'status 422', attempts: 2, lastStatus: 422, diedAt: message.time }
    await (await open()).bury(letter)
    const [stored] = storage.queues.get('image-processing-poison')!
    expect(messageOfEvent(eventOf(stored!), 'image-processing')).toEqual(message)
    expect(eventOf(stored!)).toMatchObject({
      deadreason: 'status 422',
      deadattempts: 2,
      deadstatus: 422,
      deadtime: message.time,
    })
  })

  test('a refusal is an outage, and so is a server that is not there', async () => {
    const queue = await open()
    storage.refuse = () => ({ status: 403, headers: { 'x-ms-error-code': 'AuthenticationFailed' } })
    await expect(queue.send(message)).rejects.toMatchObject({ code: 'unavailable', cause: { statusCode: 403 } })
    await storage[Symbol.asyncDispose]()
    await expect(queue.send(message)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
