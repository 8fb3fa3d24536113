/** The google-cloud target: each part under the functions framework, messages by push subscriptions. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dispatcher } from '../clouds/dispatcher.ts'
import { counted, endAll, partsOf, startAll, ticking } from '../clouds/parts.ts'
import { entry } from '../clouds/programs.ts'
import { pubsubServer, type PubsubMessage } from '../clouds/pubsub-server.ts'
import { pushSubscription } from '../clouds/push.ts'
import { openStores } from '../clouds/stores.ts'
import type { Running, Target } from './target.ts'

const CLIENTS = fileURLToPath(new URL('../../runtime/node_modules', import.meta.url))
const FRAMEWORK = join(CLIENTS, '@google-cloud/functions-framework/build/src/main.js')
/** The service takes no fewer. */
const ATTEMPTS_MIN = 5

async function start(env: Record<string, string>): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const stores = stack.use(await openStores())
  const subscriptions = new Map<string, Dispatcher<PubsubMessage>>()
  const pubsub = stack.use(await pubsubServer((topic, message) => subscriptions.get(topic)?.add(message)))
  const auth = env['API_KEY'] ? {} : { AUTH: 'platform' }
  const google = { GOOGLE_CLOUD_PROJECT: 'test-project', PUBSUB_EMULATOR_HOST: new URL(pubsub.url).host }
  const common = { ...stores.env, ...auth, ...env, ...google }
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
  for (const [index, { trigger, each }] of queues.entries()) {
    const { queue, maxAttempts } = trigger
    const subscription = stack.use(
      pushSubscription({
        topic: queue,
        share: async (run) => await run(worker!),
        concurrency: each,
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

export const googleCloud: Target = { name: 'google-cloud, functions framework', start }
