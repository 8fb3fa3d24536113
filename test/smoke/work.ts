/** Pictures through the whole stack, also while parts of it are killed, added and replaced. */
import type { TaskRepresentation } from '#shared/representation.ts'
import { sha256 } from './outside.ts'
import type { Place } from './place.ts'
import { eventually, expectThat, type Report, Skipped } from './report.ts'
import { targetsUp } from './watch.ts'

const QUEUE = 12
/** A lease and two sweeps, and rendering on half a core each. */
const ENDED_MS = 240_000
const BUSY_MS = 60_000

/** Completed, each variant there, whole and with the hash that the task tells. */
async function whole({ outside }: Place, task: TaskRepresentation): Promise<void> {
  expectThat(task.status === 'completed' && task.variants.length === 2, 'a completed task', task)
  for (const { href, sha256: hash, width, height } of task.variants) {
    const response = await outside.patiently(href)
    const bytes = new Uint8Array(await response.arrayBuffer())
    expectThat(sha256(bytes) === hash, `the hash of ${href}`, response.status)
    expectThat(width <= 1024 && height <= 1024, 'at most 1024 pixels', { width, height })
  }
}

async function one(place: Place): Promise<[TaskRepresentation, string]> {
  const task = await place.outside.upload(place.picture, { prefer: 'wait=25' })
  const ended = await place.outside.ended(task.id, ENDED_MS)
  await whole(place, ended)
  const sizes = ended.variants.map(({ width, height, bytes }) => `${width}x${height} ${bytes} B`)
  return [ended, `${task.id}: ${sizes.join(', ')}`]
}

async function many({ outside, picture }: Place): Promise<string[]> {
  const tasks = await Promise.all(Array.from({ length: QUEUE }, async () => await outside.upload(picture)))
  return tasks.map(({ id }) => id)
}

async function allWhole(place: Place, ids: readonly string[]): Promise<TaskRepresentation[]> {
  const tasks: TaskRepresentation[] = []
  for (const id of ids) {
    const task = await place.outside.ended(id, ENDED_MS)
    await whole(place, task)
    tasks.push(task)
  }
  return tasks
}

/** Resolves while at least one picture is being made and others wait. */
async function busy({ outside }: Place): Promise<void> {
  await eventually(BUSY_MS, 'a task in processing', async () => {
    const response = await outside.patiently('/tasks?status=processing&limit=1')
    const { items } = (await response.json()) as { items: TaskRepresentation[] }
    return [items.length > 0, items.length]
  })
}

async function notEnded({ outside }: Place, ids: readonly string[]): Promise<number> {
  const response = await outside.patiently('/tasks?status=completed&limit=100')
  const { items } = (await response.json()) as { items: TaskRepresentation[] }
  const ended = new Set(items.map(({ id }) => id))
  return ids.filter((id) => !ended.has(id)).length
}

async function killed(place: Place): Promise<string> {
  const { stack } = place
  const ids = await many(place)
  await busy(place)
  await stack.compose(['kill', 'worker'])
  const left = await notEnded(place, ids)
  expectThat(left > 0, 'work left when the workers were killed', `${ids.length - left} of ${ids.length} done`)
  await stack.compose(['up', '--detach', '--wait', '--no-deps', '--no-build', 'worker'])
  const tasks = await allWhole(place, ids)
  const again = tasks.filter(({ attempts }) => attempts > 1).length
  return `${QUEUE} accepted, ${left} unfinished at the kill, lost 0 (${again} tried more than once)`
}

async function scaled(place: Place): Promise<string> {
  const scale = [
    'up',
    '--detach',
    '--wait',
    '--no-deps',
    '--no-build',
    '--no-recreate',
    '--scale',
    'worker=5',
    'worker',
  ]
  await place.stack.compose(scale)
  const ids = await many(place)
  await allWhole(place, ids)
  return await targetsUp(place, { 'api-backend': 2, worker: 5 })
}

/** `service` is replaced while pictures are posted and read: every request is answered, every task completes. */
async function rolled(place: Place, service: string): Promise<string> {
  const { stack, outside, picture } = place
  const refused = outside.refused()
  const before = new Set((await stack.containers(service)).map(({ ID }) => ID))
  const ids = await many(place)
  const posts = new AbortController()
  const posted: string[] = []
  const posting = (async () => {
    while (!posts.signal.aborted) {
      posted.push((await outside.upload(picture)).id)
      await new Promise((resolve) => setTimeout(resolve, 1_500))
    }
  })()
  try {
    await stack.script('rollout.sh', [service])
  } finally {
    posts.abort()
  }
  await posting
  await allWhole(place, [...ids, ...posted])
  const after = await stack.containers(service)
  expectThat(after.length === before.size && after.every(({ ID }) => !before.has(ID)), 'all replaced', after)
  return `${before.size} replaced; ${ids.length + posted.length} accepted, lost 0, ${outside.refused() - refused} of 503`
}

async function bothAnswer({ stack, outside }: Place): Promise<string> {
  // One after another: what Traefik asks of DNS at the same moment is one question, with one answer.
  for (let i = 0; i < 24; i++) await (await outside.patiently('/tasks?limit=1')).arrayBuffer()
  const read = `fetch('http://127.0.0.1:9464/metrics').then((r) => r.text()).then((t) => console.log(t.split('\\n').filter((l) => l.startsWith('faas_invocations_total{function="list-tasks"')).join('\\n')))`
  const counts: number[] = []
  for (const { ID } of await stack.containers('api-backend')) {
    const told = await stack.docker(['exec', ID, 'node', '-e', read])
    counts.push(Number(told.trim().split(' ').at(-1) ?? 0))
  }
  expectThat(counts.length === 2 && counts.every((count) => count > 0), 'both replicas to answer', counts)
  return `answers by replica: ${counts.join(', ')}`
}

/** Nobody had to be killed for memory, and nobody died: 512 MB are enough for a queue of large pictures. */
async function survived({ stack }: Place): Promise<string> {
  const names: string[] = []
  for (const { ID, Name, Service } of await stack.containers()) {
    const state = await stack.docker([
      'inspect',
      '--format',
      '{{.State.OOMKilled}} {{.RestartCount}} {{.State.Status}}',
      ID,
    ])
    expectThat(state.trim() === 'false 0 running', `${Name} to live and never to have died`, state.trim())
    names.push(Service)
  }
  return `${names.length} containers, none out of memory, none restarted`
}

async function backup({ stack }: Place): Promise<string> {
  const found = await stack.compose(['exec', '-T', 'mongodb', 'sh', '-c', 'command -v mongodump || true'])
  if (found.trim() === '') throw new Skipped('this image of MongoDB has no mongodump')
  const env = { STORAGE: `${stack.folder}/storage` }
  const path = (await stack.script('backup.sh', [`${stack.folder}/backups`], env)).trim()
  await stack.script('restore.sh', [path], env)
  return path
}

export async function checkOnePicture({ check }: Report, place: Place): Promise<string | null> {
  let id: string | null = null
  await check('a picture posted to https comes out as variants', async () => {
    const [task, seen] = await one(place)
    id = task.id
    return seen
  })
  return id
}

export async function checkWork({ check }: Report, place: Place): Promise<void> {
  await check('two API replicas answer', async () => await bothAnswer(place))
  await check('SIGKILL of all workers in mid-render', async () => await killed(place))
  await check('rolling restart of the workers at work', async () => await rolled(place, 'worker'))
  await check('rolling restart of the API at work', async () => await rolled(place, 'api-backend'))
  await check('five workers', async () => await scaled(place))
  await check('backup and restore', async () => await backup(place))
  await check('512 MB and half a core each', async () => await survived(place))
}
