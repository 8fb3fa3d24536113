import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DeadLetter } from '#shared/consumer.ts'
import { taskCreated, variantWanted } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { loopbackServer } from '../../../test/clouds/http-server.ts'
import { hasClients } from '../../../test/clouds/installed.ts'
import { type PubsubServer, pubsubServer } from '../../../test/clouds/pubsub-server.ts'
import type { PubsubOptions } from './pubsub.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const open = async (options: PubsubOptions) => (await import('./pubsub.ts')).pubsubQueue(options)

describe.skipIf(!hasClients)('Pub/Sub', () => {
  let pubsub: PubsubServer
  beforeEach(async () => {
    pubsub = await pubsubServer()
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await pubsub[Symbol.asyncDispose]()
  })
  const emulated = (prefix?: string) =>
    open({ project: 'a-project', endpoint: pubsub.url, emulator: true, ...(prefix ? { prefix } : {}) })

  test('a message is a binary-mode CloudEvent on the topic of its queue', async () => {
    const id = newTaskId()
    const message = variantWanted(id, { variant: '800x800', format: 'webp' }, TRACE)
    await (await emulated('revela-')).send(message)
    expect(pubsub.published).toMatchObject([{ topic: 'revela-image-processing', authorization: undefined }])
    const [{ message: sent }] = pubsub.published as [(typeof pubsub.published)[0]]
    expect(sent.attributes).toEqual({
      'ce-specversion': '1.0',
      'ce-id': `${id}.800x800.webp`,
      'ce-type': 'variant.wanted',
      'ce-source': '/revela',
      'ce-subject': id,
      'ce-time': message.time,
      'ce-queue': 'image-processing',
      'ce-traceparent': TRACE,
      'Content-Type': 'application/json',
    })
    expect(JSON.parse(Buffer.from(sent.data, 'base64').toString())).toEqual({ variant: '800x800', format: 'webp' })
  })

  test('a dead letter is the event on <queue>-dead, with why', async () => {
    const message = taskCreated(newTaskId())
    const letter: DeadLetter = { message, reason: 'status 422', attempts: 2, lastStatus: 422, diedAt: message.time }
    const queue = await emulated()
    await queue.bury(letter)
    await queue.bury({ ...letter, reason: 'no response', lastStatus: null })
    expect(pubsub.published.map(({ topic }) => topic)).toEqual(['image-processing-dead', 'image-processing-dead'])
    expect(pubsub.published.map(({ message: { attributes } }) => attributes)).toMatchObject([
      {
        'ce-id': message.id,
        'ce-queue': 'image-processing-dead',
        'ce-deadreason': 'status 422',
        'ce-deadattempts': '2',
        'ce-deadstatus': '422',
        'ce-deadtime': message.time,
      },
      { 'ce-deadreason': 'no response' },
    ])
    expect(pubsub.published[1]!.message.attributes).not.toHaveProperty('ce-deadstatus')
  })

  test('the token and the project are those of the instance, asked for once', async () => {
    const asked: string[] = []
    await using metadata = await loopbackServer(({ path, headers }) => {
      asked.push(path.split('?')[0]!)
      const given = { 'metadata-flavor': 'Google' }
      if (headers['metadata-flavor'] !== 'Google') return { status: 403 }
      if (path.endsWith('/project/project-id')) return { status: 200, headers: given, body: 'found-project' }
      const token = JSON.stringify({ access_token: 'token-1', expires_in: 3_600, token_type: 'Bearer' })
      if (path.includes('/token'))
        return { status: 200, headers: { ...given, 'content-type': 'application/json' }, body: token }
      return { status: 200, headers: given, body: 'ok' }
    })
    for (const name of ['GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT'])
      vi.stubEnv(name, undefined)
    vi.stubEnv('GCE_METADATA_HOST', new URL(metadata.url).host)
    vi.stubEnv('HOME', '/nonexistent')
    const paths: string[] = []
    pubsub.refuse = ({ path }) => (paths.push(path), null)
    const queue = await open({ endpoint: pubsub.url })
    await queue.send(taskCreated(newTaskId()))
    await queue.send(taskCreated(newTaskId()))
    expect(paths).toEqual(Array(2).fill('/v1/projects/found-project/topics/image-processing:publish'))
    expect(pubsub.published.map(({ authorization }) => authorization)).toEqual(Array(2).fill('Bearer token-1'))
    expect(asked.filter((path) => path.endsWith('/token'))).toHaveLength(1)
  })

  test.each([
    [403, 'PERMISSION_DENIED'],
    [404, 'no such topic'],
    [503, 'try again'],
  ])('a %i is an outage, and its cause says what came', async (status, body) => {
    pubsub.refuse = () => ({ status, body })
    const queue = await emulated()
    const failed = await queue
      .send(taskCreated(newTaskId()))
      .catch((error: unknown) => error as { code: string; cause: Error })
    expect(failed).toMatchObject({ code: 'unavailable' })
    expect(String((failed as { cause: Error }).cause)).toContain(`answered ${status}: ${body}`)
  })

  test('where nobody listens it is an outage', async () => {
    await pubsub[Symbol.asyncDispose]()
    const queue = await emulated()
    await expect(queue.send(taskCreated(newTaskId()))).rejects.toMatchObject({ code: 'unavailable' })
  })
})
