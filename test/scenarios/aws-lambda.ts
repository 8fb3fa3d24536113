/** The aws-lambda target: one bundle for all of HTTP, one for all that events start, with SQS, S3, MongoDB and Redis. */
import { scheduledEvent } from '../clouds/lambda-events.ts'
import { type LambdaBundle, lambdaBundle } from '../clouds/lambda-bundle.ts'
import { hostCommand, invoke, poll } from '../clouds/lambda-host.ts'
import { endAll, partsOf, startAll, ticking } from '../clouds/parts.ts'
import { openStores } from '../clouds/stores.ts'
import { ownRedis } from '../servers/redis.ts'
import { makeQueues, type SqsServer, sqsServer } from '../servers/sqs.ts'
import { AWS_LAMBDA_CANNOT } from './aws-lambda-cannot.ts'
import type { Running, Target } from './target.ts'

/** Requests at once: each has an instance to itself, also while it waits. */
const API_INSTANCES = 6
/** Of a function that is not isolated: an instance takes one batch at a time. */
const BATCHES_AT_ONCE = 2
const BATCH_MAX = 10
/** Seconds, as the template would have them: of API Gateway, and of the longest function. */
const API_SECONDS = 30
const WORKER_SECONDS = 65
/** Longer than a function may take: a message that is worked on is not handed out again. */
const VISIBILITY_SECONDS = 90

function counts(sqs: SqsServer, queueUrl: string): NonNullable<Running['messages']> {
  const names = { waiting: 'ApproximateNumberOfMessages', active: 'ApproximateNumberOfMessagesNotVisible' }
  return async (state) => {
    const input = { QueueUrl: queueUrl, AttributeNames: ['All'] }
    const { Attributes } = (await sqs.call('GetQueueAttributes', input)) as { Attributes: Record<string, string> }
    return Number(Attributes[names[state]])
  }
}

let building: Promise<LambdaBundle> | undefined

async function start(env: Record<string, string>): Promise<Running> {
  const { folder } = await (building ??= lambdaBundle())
  const sqs = (await sqsServer())!
  await using stack = new AsyncDisposableStack()
  const stores = stack.use(await openStores())
  const redis = stack.use((await ownRedis())!)
  const { http, queues, timers } = await partsOf(env)
  const names = queues.map(({ trigger }) => trigger.queue)
  const QUEUE_PREFIX = await makeQueues(sqs, names, { VisibilityTimeout: String(VISIBILITY_SECONDS) })
  const auth = env['API_KEY'] ? {} : { AUTH: 'platform' }
  const own = { REDIS_URL: redis.uri, SQS_URL: sqs.url, QUEUE_PREFIX }
  const common = { LOG_LEVEL: 'error', ...stores.env, ...auth, ...own, ...env }
  const polled = queues.flatMap(({ trigger: { queue }, instances, each }) =>
    each === 1
      ? Array.from({ length: instances }, () => ({ queue, batch: 1 }))
      : Array.from({ length: BATCHES_AT_ONCE }, () => ({ queue, batch: BATCH_MAX })),
  )
  const api = http.join(',')
  const program = (FUNCTIONS: string, port: number) => {
    const [seconds, instances] = FUNCTIONS === api ? [API_SECONDS, API_INSTANCES] : [WORKER_SECONDS, polled.length + 1]
    return { command: hostCommand({ folder, port, seconds, instances }, { ...common, FUNCTIONS }), env: {} }
  }
  // One bundle for all that events start: a host for each would be a dozen processes more.
  const ofEvents = [...queues.map(({ name }) => name), ...timers]
  const [front, worker] = await startAll(program, [http, ofEvents])
  stack.defer(async () => await endAll([front!, worker!]))
  const lambda = worker!.url
  const urlOf = (queue: string): string => `${sqs.url}/${QUEUE_PREFIX}${queue}`
  for (const { queue, batch } of polled) stack.use(poll({ queueUrl: urlOf(queue), lambda, batch }))
  stack.use(ticking(async (at) => await invoke(lambda, scheduledEvent(`${at.toISOString().slice(0, 19)}Z`))))
  const owned = stack.move()
  return {
    ...stores,
    url: front!.url,
    messages: counts(sqs, urlOf('image-processing')),
    stop: async () => await owned.disposeAsync(),
  }
}

export const awsLambda: Target = { name: 'aws-lambda', start, exceptions: AWS_LAMBDA_CANNOT }

/** After the last of its places. */
export async function forgetBundle(): Promise<void> {
  await (await building)?.[Symbol.asyncDispose]()
}
