import type { InvocationContext } from '@azure/functions'
import { describe, expect, test } from 'vitest'
import { structured } from '#shared/cloud-event.ts'
import { type Message, taskCreated } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { NOT_RUN_HEADER } from '#shared/verdict.ts'
import { answering, QUEUE, QUEUE_CONFIG, testCloud } from '../../../test/clouds/cloud.ts'
import { sampleTask } from '../../../test/drivers/samples.ts'
import { openCloudFunction } from '../cloud/open.ts'
import { takeQueueEntry } from './queue.ts'

async function serve(answer: (request: Request) => Response) {
  const attempts: string[] = []
  const app = answering((request) => {
    attempts.push(request.headers.get('ce-attempt')!)
    return answer(request)
  })
  const cloud = testCloud([{ name: 'the-function', config: QUEUE_CONFIG, app }])
  const opened = await openCloudFunction(cloud.options)
  const take = async (entry: unknown, dequeueCount?: unknown): Promise<void> => {
    const triggerMetadata = { id: 'azure-1', ...(dequeueCount === undefined ? {} : { dequeueCount }) }
    await takeQueueEntry(opened, QUEUE, entry, { triggerMetadata } as unknown as InvocationContext)
  }
  return { ...cloud, attempts, take, [Symbol.asyncDispose]: async () => await opened.close() }
}

const status = (code: number, headers: Record<string, string> = {}): Response =>
  new Response('x', { status: code, headers })
const newMessage = (): Message => taskCreated(newTaskId())

describe('a message of a storage queue', () => {
  test('that its function takes is over', async () => {
    await using served = await serve(() => status(200))
    await served.take(structured(newMessage()), 1)
    expect([served.queue.added, served.queue.buried]).toEqual([[], []])
  })

  test('that failed is added anew for its time, with its count, and over', async () => {
    await using served = await serve(() => status(503, { 'Retry-After': '90' }))
    const message = newMessage()
    await served.take({ ...structured(message), attempt: 1 }, 1)
    expect(served.queue.added).toEqual([{ delivery: { message, attempt: 2 }, afterMs: 90_000 }])
  })

  test('is thrown where it cannot be added anew: then the trigger tries it again', async () => {
    await using served = await serve(() => status(503))
    served.queue.fail = () => {
      throw new Error('away')
    }
    await expect(served.take(structured(newMessage()), 1)).rejects.toThrow('away')
  })

  test('counts what it says of itself and what the queue has counted since', async () => {
    await using served = await serve(() => status(503))
    const { queue, tasks } = served
    const task = sampleTask()
    const message = taskCreated(task.id)
    await tasks.create(task, message)
    // As often as its function has begun: a platform counts more than failures.
    for (let i = 0; i < 5; i++) await tasks.claim(task.id, { attempt: 1, nextCheckAt: 0 })
    await served.take(structured(message), 2)
    await served.take({ ...structured(message), attempt: 3 }, 1)
    expect(served.attempts).toEqual(['2', '3'])
    // Two failures are all that it may have, and the third delivery was for settling.
    expect(queue.added).toMatchObject([{ delivery: { attempt: 3 }, afterMs: 0 }])
    expect(queue.buried).toMatchObject([{ message, attempts: 3, lastStatus: 503 }])
  })

  test('that did not run is not counted, and comes soon', async () => {
    await using served = await serve(() => status(503, { [NOT_RUN_HEADER]: '1' }))
    await served.take({ ...structured(newMessage()), attempt: 7 }, 1)
    expect(served.queue.added).toMatchObject([{ delivery: { attempt: 7 }, afterMs: 1_000 }])
    expect(served.queue.buried).toEqual([])
  })

  test('that its function has die is buried, and over', async () => {
    await using served = await serve(() => status(422))
    const message = newMessage()
    await served.take(structured(message), 1)
    expect(served.queue.buried).toMatchObject([{ message, attempts: 1, lastStatus: 422 }])
  })

  test('is added anew while it cannot be buried', async () => {
    await using served = await serve(() => status(422))
    let failures = 0
    served.queue.fail = () => {
      if (failures++ === 0) throw new Error('away')
    }
    await served.take(structured(newMessage()), 1)
    expect(served.queue.added).toMatchObject([{ delivery: { attempt: 1 } }])
    expect(served.queue.buried).toEqual([])
  })

  test.each([['text'], [''], [{}], [null], [{ specversion: '1.0', id: 'a' }], [[1]]])(
    'that is none is buried as it came: %j',
    async (entry) => {
      await using served = await serve(() => status(200))
      await served.take(entry, 1)
      expect(served.attempts).toEqual([])
      const data = typeof entry === 'string' ? entry : JSON.stringify(entry)
      expect(served.queue.buried).toMatchObject([{ message: { queue: QUEUE, id: 'azure-1', data }, lastStatus: null }])
    },
  )

  test('that is none and cannot be buried is thrown', async () => {
    await using served = await serve(() => status(200))
    served.queue.fail = () => {
      throw new Error('away')
    }
    await expect(served.take('text', 1)).rejects.toThrow('again')
  })
})
