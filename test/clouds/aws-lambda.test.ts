/** What becomes of a message under Lambda, from SQS to its end: refused, put off, and with instances that die of it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { structured } from '#shared/cloud-event.ts'
import { taskCreated } from '#shared/message.ts'
import { type MongoConnection, openMongo } from '../../runtime/drivers/mongodb/connection.ts'
import { type MongoTasks, mongoTasks } from '../../runtime/drivers/tasks/mongodb.ts'
import { makeQueues, type SqsServer, hasSqs, sqsServer } from '../servers/sqs.ts'
import { testTask } from '../tasks.ts'
import type { How, Told } from './fixtures/functions/dying/index.ts'
import { lambdaBundle } from './lambda-bundle.ts'
import { hasLambdaHost, hostCommand, poll } from './lambda-host.ts'
import { startOnFreePort } from './programs.ts'
import { hasStores, openStores } from './stores.ts'

const QUEUE = 'image-processing'
const FUNCTIONS = fileURLToPath(new URL('fixtures/functions', import.meta.url))
/** Of an invocation. */
const TIMEOUT_SECONDS = 3
/** After which a message comes again by itself: not at all in a test, or, longer than an invocation, soon. */
const NEVER_SECONDS = 3_600
const SOON_SECONDS = 5

describe.skipIf(!hasLambdaHost || !hasSqs() || !(await hasStores()))('a message under Lambda', () => {
  const stack = new AsyncDisposableStack()
  let sqs: SqsServer
  let prefix: string
  let told: string
  let mongo: MongoConnection
  let tasks: MongoTasks

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'revela-lambda-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    told = join(folder, 'told')
    sqs = (await sqsServer())!
    prefix = await makeQueues(sqs, [QUEUE], { VisibilityTimeout: String(NEVER_SECONDS) })
    const stores = stack.use(await openStores())
    const bundle = stack.use(await lambdaBundle(FUNCTIONS, ['dying']))
    mongo = openMongo(stores.env['MONGODB_URI']!)
    tasks = mongoTasks({ mongo, send: async () => {} })
    stack.defer(async () => {
      await tasks.close()
      await mongo.close()
    })
    const env = { ...stores.env, SQS_URL: sqs.url, QUEUE_PREFIX: prefix, AUTH: 'platform', TOLD: told }
    const host = await startOnFreePort((port) => {
      const place = { folder: bundle.folder, port, seconds: TIMEOUT_SECONDS, instances: 2 }
      return { command: hostCommand(place, { ...env, LOG_LEVEL: 'silent' }), env: {} }
    })
    stack.defer(async () => await host.stop())
    for (let pollers = 0; pollers < 2; pollers++) {
      stack.use(poll({ queueUrl: `${sqs.url}/${prefix}${QUEUE}`, lambda: host.url, batch: 1 }))
    }
  }, 120_000)
  afterAll(async () => await stack.disposeAsync())

  /** A task whose message says how it ends. */
  async function send(how: How): Promise<string> {
    const task = testTask()
    await tasks.create(task, taskCreated(task.id))
    // Only who claims its task is counted by it.
    const type = how === 'exit' || how === 'spin' ? 'task.created' : 'test'
    await sendText(JSON.stringify(structured({ ...taskCreated(task.id), type, data: { how } })))
    return task.id
  }
  async function sendText(MessageBody: string): Promise<void> {
    await sqs.call('SendMessage', { QueueUrl: `${sqs.url}/${prefix}${QUEUE}`, MessageBody })
  }
  async function starts(id: string): Promise<Told[]> {
    const lines = (await readFile(told, 'utf8').catch(() => '')).split('\n').filter(Boolean)
    return lines.map((line) => JSON.parse(line) as Told).filter(({ subject }) => subject === id)
  }
  const attempts = async (id: string): Promise<number[]> => (await starts(id)).map(({ attempt }) => attempt)
  interface Letter {
    Body: string
    ReceiptHandle: string
    MessageAttributes?: Record<string, { StringValue: string }>
  }
  /** Takes what is on the queue of the dead. */
  async function dead(): Promise<{ body: string; reason: string | undefined }[]> {
    const QueueUrl = `${sqs.url}/${prefix}${QUEUE}-dead`
    const input = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }
    const { Messages = [] } = (await sqs.call('ReceiveMessage', input)) as { Messages?: Letter[] }
    for (const { ReceiptHandle } of Messages) await sqs.call('DeleteMessage', { QueueUrl, ReceiptHandle })
    return Messages.map(({ Body, MessageAttributes }) => ({
      body: Body,
      reason: MessageAttributes?.['reason']?.StringValue,
    }))
  }
  async function isEmpty(): Promise<boolean> {
    const input = { QueueUrl: `${sqs.url}/${prefix}${QUEUE}`, AttributeNames: ['All'] }
    const { Attributes } = (await sqs.call('GetQueueAttributes', input)) as { Attributes: Record<string, string> }
    return ['', 'NotVisible', 'Delayed'].every((kind) => Attributes[`ApproximateNumberOfMessages${kind}`] === '0')
  }

  test('comes again when its function asked for it, and counts its failures', async () => {
    const id = await send('later')
    await expect.poll(async () => await attempts(id)).toEqual([1, 2])
    const [first, second] = await starts(id)
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(2_000)
    await expect.poll(isEmpty).toBe(true)
  })

  test('that is refused is on the queue of the dead, and off its own', async () => {
    const id = await send('refuse')
    const found: Awaited<ReturnType<typeof dead>> = []
    await expect.poll(async () => found.push(...(await dead()))).toBe(1)
    expect(found).toMatchObject([{ reason: 'status 422' }])
    expect(JSON.parse(found[0]!.body)).toMatchObject({ subject: id, data: { how: 'refuse' } })
    expect(await attempts(id)).toEqual([1])
    await expect.poll(isEmpty).toBe(true)
  })

  test('that is none is there too, as it came', async () => {
    await sendText('{"no": "event"')
    const found: Awaited<ReturnType<typeof dead>> = []
    await expect.poll(async () => found.push(...(await dead()))).toBe(1)
    expect(found).toEqual([{ body: '{"no": "event"', reason: 'no CloudEvent with a subject' }])
    await expect.poll(isEmpty).toBe(true)
  })

  test.each(['exit', 'spin'] as const)(
    'of which each instance dies (%s) ends its task after the last allowed attempt',
    { timeout: 90_000 },
    async (how) => {
      const Attributes = { VisibilityTimeout: String(SOON_SECONDS) }
      await sqs.call('SetQueueAttributes', { QueueUrl: `${sqs.url}/${prefix}${QUEUE}`, Attributes })
      const id = await send(how)
      await expect.poll(async () => (await tasks.get(id))?.status, { timeout: 60_000 }).toBe('failed')
      expect(await tasks.get(id)).toMatchObject({ deliveries: 3, error: { code: 'processing-failed' } })
      expect(await attempts(id)).toEqual([1, 2, 3])
      await expect.poll(isEmpty).toBe(true)
      expect(await dead()).toEqual([])
    },
  )
})
