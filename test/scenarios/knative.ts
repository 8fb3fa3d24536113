/**
 * The knative target as raw CloudEvents over HTTP, from a broker that sends as Knative Eventing does. With a Redis beside
 * the stores, where there is one: the other clouds are without.
 */
import { randomUUID } from 'node:crypto'
import { CloudEvent, HTTP } from 'cloudevents'
import { type Broker, startBroker } from '../clouds/broker.ts'
import { counted, endAll, partsOf, sharedOut, startAll, ticking } from '../clouds/parts.ts'
import { entry } from '../clouds/programs.ts'
import { openStores } from '../clouds/stores.ts'
import { hasOwnRedis, ownRedis } from '../servers/redis.ts'
import { ANY_HOST, NO_METRICS_PORT, OWN_CACHES, UNREMOVED, UNSEEN } from './cloud-exceptions.ts'
import type { Running, Target } from './target.ts'

function ping(url: string, at: Date): Promise<Response> {
  const event = new CloudEvent({
    id: randomUUID(),
    type: 'dev.knative.sources.ping',
    source: '/apis/v1/namespaces/test/pingsources/sweep',
    time: at.toISOString(),
    datacontenttype: 'application/json',
    data: {},
  })
  const { headers, body } = HTTP.binary(event)
  return fetch(url, { method: 'POST', headers: headers as Record<string, string>, body: String(body) })
}

async function start(env: Record<string, string>): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const stores = stack.use(await openStores())
  const broker: Broker = stack.use(await startBroker())
  const redis = await ownRedis()
  if (redis) stack.use(redis)
  const auth = env['API_KEY'] ? {} : { AUTH: 'platform' }
  const beside = redis ? { REDIS_URL: redis.uri } : {}
  const common = { ...stores.env, ...auth, ...beside, ...env, K_SINK: broker.url }
  // One bundle for all that events start, twice: a bundle for each would be a dozen processes.
  const { http, queues, timers } = await partsOf(env)
  const ofEvents = [...queues.map(({ name }) => name), ...timers]
  const instances = Array.from(
    { length: queues.find(({ name }) => name === 'process-image')!.instances },
    () => ofEvents,
  )
  const program = (FUNCTIONS: string, port: number) => ({
    command: [process.execPath, entry('knative')],
    env: { ...common, FUNCTIONS, PORT: String(port) },
  })
  const [api, ...workers] = await startAll(program, [http, ...instances])
  stack.defer(async () => await endAll([api!, ...workers]))
  const urls = workers.map(({ url }) => url)
  const triggers = queues.map(({ trigger: { queue, maxAttempts }, each }) => {
    const share = sharedOut(urls)
    // Twice what is counted: the broker counts what did not run, too.
    const subscription = { queue, share, concurrency: urls.length * each, retries: maxAttempts * 2 }
    return { queue, images: stack.use(broker.subscribe(subscription)) }
  })
  stack.use(ticking((at) => ping(urls[0]!, at)))
  const owned = stack.move()
  return {
    ...stores,
    url: api!.url,
    messages: counted(triggers.find(({ queue }) => queue === 'image-processing')!.images),
    stop: async () => await owned.disposeAsync(),
  }
}

export const knative: Target = {
  name: 'knative, events in both modes',
  exceptions: { ...ANY_HOST, ...UNSEEN, ...NO_METRICS_PORT, ...UNREMOVED, ...(hasOwnRedis() ? {} : OWN_CACHES) },
  start,
}
