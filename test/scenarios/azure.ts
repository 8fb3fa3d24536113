/** The azure target: the real library of Azure's programming model in the host that TEST_AZURE_HOST names. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dispatcher } from '../clouds/dispatcher.ts'
import { partsOf, ticking } from '../clouds/parts.ts'
import { entry, startOnFreePort } from '../clouds/programs.ts'
import { type StoredMessage, type StorageQueueServer, storageQueueServer } from '../clouds/storage-queue-server.ts'
import { openStores } from '../clouds/stores.ts'
import { ANY_HOST, because, FRONT_END, NO_METRICS_PORT, OWN_CACHES, UNREMOVED, UNSEEN } from './cloud-exceptions.ts'
import type { Exceptions } from './exceptions.ts'
import { UNKNOWN_ID } from './get-task.ts'
import type { Running, Target } from './target.ts'

/** A command that runs a folder: `--dir`, `--port`. It delivers what is posted to /_lab/queue/NAME and /_lab/timer/NAME. */
export const AZURE_HOST = process.env['TEST_AZURE_HOST']

const HOST_JSON = {
  version: '2.0',
  extensions: { http: { routePrefix: '' }, queues: { maxDequeueCount: 5, visibilityTimeout: '00:00:00' } },
}
/** The host looks for messages that often, and holds one for so long. */
const POLL_MS = 20
const LEASE_MS = 600_000

async function appFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-azure-'))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', main: 'index.mjs' }))
  await writeFile(join(folder, 'host.json'), JSON.stringify(HOST_JSON))
  await writeFile(join(folder, 'index.mjs'), `import ${JSON.stringify(entry('azure'))}\n`)
  return folder
}

interface Polled extends AsyncDisposable {
  counts(): { waiting: number; active: number }
}

/** What the host's queue trigger does: takes what is visible, so many at once, and removes what was returned. */
function polling(storage: StorageQueueServer, queue: string, url: string, concurrency: number): Polled {
  const messages = dispatcher<StoredMessage>({
    concurrency,
    async deliver({ id, text }) {
      const body = JSON.stringify({ messages: [Buffer.from(text, 'base64').toString()] })
      const response = await fetch(url, { method: 'POST', body })
      if (!response.ok) throw new Error(`the host answered ${response.status}`)
      const [{ outcome }] = (await response.json()) as [{ outcome: string }]
      storage.remove(queue, id)
      return outcome === 'deleted' ? { kind: 'done' } : { kind: 'given-up' }
    },
  })
  const look = (): void => {
    while (messages.counts().active < concurrency) {
      const message = storage.take(queue, LEASE_MS)
      if (!message) return
      messages.add(message)
    }
  }
  const timer = setInterval(look, POLL_MS)
  return {
    counts: () => {
      const now = Date.now()
      const visible = (storage.queues.get(queue) ?? []).filter(({ visibleAt }) => visibleAt <= now)
      return { waiting: visible.length, active: messages.counts().active }
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await messages[Symbol.asyncDispose]()
    },
  }
}

async function start(env: Record<string, string>): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const stores = stack.use(await openStores())
  const storage = stack.use(await storageQueueServer())
  const folder = await appFolder()
  stack.defer(async () => await rm(folder, { recursive: true, force: true }))
  const auth = env['API_KEY'] ? {} : { AUTH: 'platform' }
  const program = await startOnFreePort((port) => ({
    command: [...AZURE_HOST!.split(' '), '--dir', folder, '--port', String(port)],
    env: { ...stores.env, ...auth, ...env, AZURE_STORAGE_CONNECTION_STRING: storage.connection },
  }))
  stack.defer(async () => await program.stop())
  const parts = await partsOf(env)
  // The one process stands for as many instances of the app as there would be.
  const queues = new Map(
    parts.queues.map(({ name, trigger: { queue }, instances, each }) => {
      const url = `${program.url}/_lab/queue/${name}`
      return [queue, stack.use(polling(storage, queue, url, instances * each))]
    }),
  )
  for (const name of parts.timers) {
    stack.use(ticking(() => fetch(`${program.url}/_lab/timer/${name}`, { method: 'POST', body: '{}' })))
  }
  const owned = stack.move()
  return {
    ...stores,
    url: program.url,
    messages: async (state) => queues.get('image-processing')!.counts()[state],
    stop: async () => await owned.disposeAsync(),
  }
}

/** Of the host that this runs under, where it is not Azure's own. */
const OF_THE_HOST: Exceptions = {
  ...because(
    'the host reads a body whole before it calls, and an answer whole before it sends; streaming has a test of its own',
    'under way > all who wait hear of the end at once, and of a deletion too',
    'without keys > Idempotency-Key > while the first still runs: 409 with Retry-After',
  ),
  ...because(
    'the host leaves out headers that are empty',
    'without keys > refused > with 400, naming the fault > Idempotency-Key %.20s',
  ),
  ...because(
    'the host decodes the parameters of a route itself, and fails where it cannot',
    'without keys > GET /tasks/{taskId} > does not know %.40s',
    'without keys > GET /tasks/{taskId}/variants/{variant} > answers 404 to a variant that was not asked for, whatever it is called',
  ),
  ...because(
    'the library makes a Request of every call, and Fetch has none for TRACE, nor for an address with credentials',
    'without keys > methods > /tasks names those that it has',
    `without keys > methods > /tasks/${UNKNOWN_ID} names those that it has`,
    'without keys > a server without keys > answers 421 or 400 to Host localhost@evil.example',
  ),
}

export const azure: Target = {
  name: 'azure, programming model v4',
  exceptions: { ...ANY_HOST, ...UNSEEN, ...NO_METRICS_PORT, ...UNREMOVED, ...OWN_CACHES, ...FRONT_END, ...OF_THE_HOST },
  start,
}
