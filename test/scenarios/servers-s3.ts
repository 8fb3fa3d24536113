/** The node target over MongoDB, Redis and S3: an api and two workers that share no folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStores } from '../clouds/stores.ts'
import { until } from '../runtime/until.ts'
import { ownRedis } from '../servers/redis.ts'
import { UNSEEN } from './cloud-exceptions.ts'
import { filesBelow, type StartedProcess, startProcess } from './process.ts'
import { messagesIn } from './running.ts'
import type { Running, Target } from './target.ts'

const SPLITS: Record<string, string>[] = [
  { FUNCTIONS: 'create-task,create-upload,get-task,get-variant,list-tasks,delete-task' },
  // The api's own port is not theirs.
  { FUNCTIONS: 'process-image,notify,sweep-tasks', METRICS_PORT: '' },
  { FUNCTIONS: 'process-image,notify,sweep-tasks', METRICS_PORT: '' },
]
/** The database is prepared by whoever is first, and all start at once. */
const READY_MS = 60_000

async function isReady({ url }: StartedProcess): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).ok
}

async function start(env: Record<string, string>): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const stores = stack.use(await openStores())
  const redis = stack.use((await ownRedis())!)
  const processes = await Promise.all(
    SPLITS.map(async (own) => {
      const folder = await mkdtemp(join(tmpdir(), 'revela-scenarios-'))
      stack.defer(() => rm(folder, { recursive: true, force: true }))
      const process = await startProcess(folder, { ...stores.env, REDIS_URL: redis.uri, ...env, ...own })
      stack.defer(async () => {
        await process.stop()
        // Nothing of a picture was ever here.
        const images = await filesBelow(join(folder, 'storage/images'))
        if (images.length > 0) throw new Error(`expected no file beside S3, got ${images.join(', ')}`)
      })
      return process
    }),
  )
  await until('ready', async () => (await Promise.all(processes.map(isReady))).every(Boolean), READY_MS)
  const [api, worker] = processes
  const key = env['API_KEY']?.split(',')[0]
  const owned = stack.move()
  return {
    ...stores,
    url: api!.url,
    messages: async (state) => {
      const response = await fetch(`${worker!.url}/metrics`, { headers: key ? { 'x-api-key': key } : {} })
      return messagesIn(await response.text(), state)
    },
    stop: async () => await owned.disposeAsync(),
  }
}

export const serversOnS3: Target = {
  name: 'node, servers and S3, api and two workers',
  workers: 2,
  exceptions: UNSEEN,
  start,
}
