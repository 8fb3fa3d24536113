import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageOfText } from '#shared/cloud-event.ts'
import { type DeadLetter, UNREADABLE } from '#shared/consumer.ts'
import { type Message, taskCreated, variantWanted } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { hasClients } from '../../../test/clouds/installed.ts'
import { makeQueues, sqsServer } from '../../../test/servers/sqs.ts'
import type { SqsOptions, SqsQueue } from './sqs.ts'

const server = hasClients ? await sqsServer() : null
const QUEUE = 'image-processing'
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const open = async (options: SqsOptions): Promise<SqsQueue> => (await import('./sqs.ts')).sqsQueue(options)

interface Received {
  MessageId: string
  Body: string
  ReceiptHandle: string
  MessageAttributes: Record<string, { StringValue: string }>
}

describe.skipIf(!server)('SQS', () => {
  let options: SqsOptions
  let queue: SqsQueue
  let prefix: string

  beforeAll(async () => {
    prefix = await makeQueues(server!, [QUEUE])
    const { url, region, credentials } = server!
    options = { url, region, credentials, prefix }
    queue = await open(options)
  })
  afterAll(async () => await queue.close())

  async function receive(name = QUEUE): Promise<Received[]> {
    const QueueUrl = `${server!.url}/${prefix}${name}`
    const input = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'], AttributeNames: ['All'] }
    return ((await server!.call('ReceiveMessage', input))['Messages'] ?? []) as Received[]
  }
  async function take(name = QUEUE): Promise<Received> {
    const [received] = await receive(name)
    const QueueUrl = `${server!.url}/${prefix}${name}`
    await server!.call('DeleteMessage', { QueueUrl, ReceiptHandle: received!.ReceiptHandle })
    return received!
  }
  const letterOf = (message: Message): DeadLetter => ({
    message,
    reason: 'status 422',
    attempts: 3,
    lastStatus: 422,
    diedAt: '2026-01-02T03:04:05.000Z',
  })

  it('sends a message whole, as a CloudEvent, with its id beside it', async () => {
    const message = variantWanted(newTaskId(), { variant: 'größe', format: 'webp' }, TRACE)
    await queue.send(message)
    const { Body, MessageAttributes } = await take()
    expect(messageOfText(Body, QUEUE)).toEqual(message)
    expect(MessageAttributes['id']?.StringValue).toBe(message.id)
  })

  it('leaves a message where it is when it is asked to remove it', async () => {
    const message = taskCreated(newTaskId())
    await queue.send(message)
    await queue.remove(QUEUE, message.id)
    expect(messageOfText((await take()).Body, QUEUE)).toEqual(message)
  })

  it('buries a message with why, as it can be moved back', async () => {
    const message = taskCreated(newTaskId(), TRACE)
    await queue.bury(letterOf(message))
    expect(await queue.stats(QUEUE)).toMatchObject({ dead: 1 })
    expect(await queue.deadLetters(QUEUE, 10)).toEqual([letterOf(message)])
    // Read, it is hidden for a moment.
    await expect.poll(async () => (await queue.stats(QUEUE)).dead).toBe(1)
    expect(messageOfText((await take(`${QUEUE}-dead`)).Body, QUEUE)).toEqual(message)
  })

  it('buries what was no message as the text that it was', async () => {
    const time = '2026-01-02T03:04:05.000Z'
    const text = '{"no": "event'
    const message: Message = { queue: QUEUE, id: 'm-1', type: UNREADABLE, subject: 'm-1', time, data: text }
    await queue.bury({ ...letterOf(message), lastStatus: null, attempts: 0 })
    const [letter] = await queue.deadLetters(QUEUE, 1)
    expect(letter).toMatchObject({ message: { type: UNREADABLE, data: text }, lastStatus: null, attempts: 0 })
    await expect.poll(async () => (await queue.stats(QUEUE)).dead).toBe(1)
    expect((await take(`${QUEUE}-dead`)).Body).toBe(text)
  })

  it('gives as many dead letters as were asked for', async () => {
    const buried = Array.from({ length: 12 }, () => taskCreated(newTaskId()))
    for (const message of buried) await queue.bury(letterOf(message))
    expect(await queue.deadLetters(QUEUE, 0)).toEqual([])
    const ids = (await queue.deadLetters(QUEUE, 11)).map(({ message }) => message.id)
    expect(new Set(ids).size).toBe(11)
    expect(buried.map(({ id }) => id)).toEqual(expect.arrayContaining(ids))
    await server!.call('PurgeQueue', { QueueUrl: `${server!.url}/${prefix}${QUEUE}-dead` })
  })

  it('counts what waits and what is taken', async () => {
    await queue.send(taskCreated(newTaskId()))
    await queue.send(taskCreated(newTaskId()))
    expect(await queue.stats(QUEUE)).toMatchObject({ waiting: 2, active: 0, delayed: 0 })
    const taken = await receive()
    expect(await queue.stats(QUEUE)).toMatchObject({ waiting: 0, active: 2 })
    // Its age nobody but CloudWatch knows: not 0, which would say that there is none.
    expect((await queue.stats(QUEUE)).oldestMs).toBeNaN()
    const QueueUrl = `${server!.url}/${prefix}${QUEUE}`
    for (const { ReceiptHandle } of taken) await server!.call('DeleteMessage', { QueueUrl, ReceiptHandle })
  })

  it('puts a message off, and has it come at once', async () => {
    await queue.send(taskCreated(newTaskId()))
    const [first] = await receive()
    await queue.putOff(QUEUE, first!.ReceiptHandle, 0)
    const [second] = await receive()
    expect(second!.MessageId).toBe(first!.MessageId)
    await queue.putOff(QUEUE, second!.ReceiptHandle, 500)
    expect(await receive()).toEqual([])
    await expect.poll(async () => (await queue.stats(QUEUE)).waiting).toBe(1)
    await take()
  })

  it('cannot be consumed: the platform delivers', () => {
    const consume = { concurrency: 1, maxAttempts: 1, backoff: { initialMs: 1, factor: 1, maxMs: 1 } }
    expect(() => queue.consume(QUEUE, consume, async () => ({ kind: 'ack' }))).toThrow('SQS delivers')
  })

  it.each([
    ['a queue that is not there', (given: SqsOptions) => ({ ...given, prefix: `${randomUUID()}-` })],
    ['a server that is not there', (given: SqsOptions) => ({ ...given, url: 'http://127.0.0.1:9/123456789012' })],
  ])('is unavailable with %s', async (_what, change) => {
    const away = await open(change(options))
    await expect(away.send(taskCreated(newTaskId()))).rejects.toMatchObject({ code: 'unavailable' })
    await expect(away.bury(letterOf(taskCreated(newTaskId())))).rejects.toMatchObject({ code: 'unavailable' })
    await expect(away.putOff(QUEUE, 'x', 0)).rejects.toMatchObject({ code: 'unavailable' })
    await away.close()
  })
})
