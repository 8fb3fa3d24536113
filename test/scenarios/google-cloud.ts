/** The google-cloud target: each part under the functions framework, messages by push subscriptions. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dispatcher } from '../clouds/dispatcher.ts'
import { counted, endAll, partsOf, startAll, ticking } from '../clouds/parts.ts'
import { entry } from '../clouds/programs.ts'
import { pubsubServer, type PubsubMessage } from '../clouds/pubsub-server.ts'
import { pushSubscription } from '../clouds/push.ts'
import { openStores } from '../clouds/stores.ts'
import { hasOwnRedis, ownRedis } from '../servers/redis.ts'
import { ANY_HOST, because, FRONT_END, NO_METRICS_PORT, OWN_CACHES, UNREMOVED, UNSEEN } from './cloud-exceptions.ts'
import type { Exceptions } from './exceptions.ts'
import type { Running, Target } from './target.ts'

const CLIENTS = fileURLToPath(new URL('../../runtime/node_modules', import.meta.url))
const FRAMEWORK = join(CLIENTS, '@google-cloud/functions-framework/build/src/main.js')
/** The service takes no fewer. */
const ATTEMPTS_MIN = 5

async function start(env: Record<string, string>): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const stores = stack.use(await openStores())
  // With a Redis beside it who waits is told at once; without, the store is asked each second.
  const redis = await ownRedis()
  if (redis) stack.use(redis)
  const subscriptions = new Map<string, Dispatcher<PubsubMessage>>()
  const pubsub = stack.use(await pubsubServer((topic, message) => subscriptions.get(topic)?.add(message)))
  const auth = env['API_KEY'] ? {} : { AUTH: 'platform' }
  const google = { GOOGLE_CLOUD_PROJECT: 'test-project', PUBSUB_EMULATOR_HOST: new URL(pubsub.url).host }
  const beside = redis ? { REDIS_URL: redis.uri } : {}
  const common = { ...stores.env, ...beside, ...auth, ...env, ...google }
  const { http, queues, timers } = await partsOf(env)
  const program = (FUNCTIONS: string, port: number) => ({
    command: [process.execPath, FRAMEWORK, '--target=revela', `--source=${entry('google-cloud')}`, `--port=${port}`],
    env: { ...common, FUNCTIONS },
  })
  // One bundle for all that events start: a bundle for each would be a dozen processes.
  const programs = await startAll(program, [http, [...queues.map(({ name }) => name), ...timers]])
  stack.defer(async () => await endAll(programs))
  const [api, worker] = programs.map(({ url }) => url)
  // Both ways in which a message may come, each for one of the queues.
  const ways = ['push', 'eventarc'] as const
  for (const [index, { trigger, instances, each }] of queues.entries()) {
    const { queue, maxAttempts } = trigger
    const subscription = stack.use(
      pushSubscription({
        topic: queue,
        share: async (run) => await run(worker!),
        // The one process stands for as many instances as there would be.
        concurrency: instances * each,
        maxDeliveryAttempts: Math.max(ATTEMPTS_MIN, maxAttempts * 2),
        how: ways[index % 2]!,
      }),
    )
    subscriptions.set(queue, subscription)
  }
  const headers = (at: Date) => ({ 'x-cloudscheduler': 'true', 'x-cloudscheduler-scheduletime': at.toISOString() })
  stack.use(ticking((at) => fetch(worker!, { method: 'POST', headers: headers(at) })))
  const owned = stack.move()
  return {
    ...stores,
    url: api!,
    messages: counted(subscriptions.get('image-processing')!),
    stop: async () => await owned.disposeAsync(),
  }
}

const OF_THE_FRAMEWORK: Exceptions = {
  ...because(
    'the framework reads a body whole, and takes it apart, before it calls: what is no JSON, or not packed as it says, is its own 400',
    ...['{', 'null', '"url"', '\u00ff'].map(
      (body) => `without keys > refused > with 400, naming the fault > invalid JSON: ${body}`,
    ),
    'without keys > refused > with 415, naming what was found > a body that is compressed',
    'without keys > Idempotency-Key > while the first still runs: 409 with Retry-After',
  ),
  ...because(
    'the framework decodes a path, and answers 400 where it cannot',
    'without keys > GET /tasks/{taskId} > does not know %.40s',
    'without keys > GET /tasks/{taskId}/variants/{variant} > answers 404 to a variant that was not asked for, whatever it is called',
  ),
  ...because('the framework answers this path itself', 'without keys > methods > there is nothing at /favicon.ico'),
}

export const googleCloud: Target = {
  name: 'google-cloud, functions framework',
  exceptions: {
    ...ANY_HOST,
    ...UNSEEN,
    ...NO_METRICS_PORT,
    ...UNREMOVED,
    ...(hasOwnRedis() ? {} : OWN_CACHES),
    ...FRONT_END,
    ...OF_THE_FRAMEWORK,
  },
  start,
}
