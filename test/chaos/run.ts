/** A run of chaos: clients upload, the runtime is killed again and again, and afterwards everything is counted. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { IDEMPOTENCY_LOCK_MS } from '#shared/limits.ts'
import { picture } from '../pictures.ts'
import { CRASH_POINTS, type CrashPoint } from './crash.ts'
import { startVictim, type Victim } from './victims.ts'

export interface ChaosOptions {
  kills: number
  seed: number
  clients?: number
  onKill?: (done: number) => void
}

export interface ChaosResult {
  kills: { process: number; crashPoint: number; container: number }
  /** Uploads that were answered 202. */
  acknowledged: number
  completed: number
  failed: number
  /** Acknowledged, and not there any more. */
  lost: number
  /** Acknowledged, and not terminal in the time that the contract gives. */
  stuck: number
  /** Completed, with a variant that is not there or is not what its hash says. */
  torn: number
  /** Uploads that made more than one task. */
  doubled: number
  /** Files that look unfinished and can be reached by a reader. */
  leftovers: number
}

interface TaskBody {
  id: string
  status: string
  metadata: { upload?: string }
  variants: { href: string; sha256: string }[]
}

// Lease (1 s here) + 2 sweeps of 15 s, and time for the work itself.
const SETTLE_MS = 60_000

// Between two uploads of a client: more than can be rendered would only make the run's end longer.
const PACE_MS = 100
// Uploads of a client that wait for another try, before it sends new ones.
const OPEN_MAX = 10
// A crash point that is not reached in this time is given up, and the process killed where it is.
const POINT_MS = 1_200

/** mulberry32: the same seed kills at the same places. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

class Clients {
  readonly acknowledged = new Map<string, string>()
  url = ''
  lastRefusal = ''
  #stopped = false
  readonly #pictures: Buffer[]
  readonly #running: Promise<void>[]

  constructor(pictures: Buffer[], count: number) {
    this.#pictures = pictures
    this.#running = Array.from({ length: count }, (_, index) => this.#upload(index))
  }

  /** Sends each upload once; one that was not acknowledged is tried again later under its key, as a careful client does. */
  async #upload(start: number): Promise<void> {
    const again: [string, Buffer][] = []
    const send = async ([key, bytes]: [string, Buffer]): Promise<void> => {
      const id = await this.#post(key, bytes).catch((error: unknown) => {
        this.lastRefusal = inspect(error)
        return null
      })
      if (id) this.acknowledged.set(key, id)
      else again.push([key, bytes])
      await delay(PACE_MS)
    }
    for (let i = start; !this.#stopped; i++) {
      const next = again.length < OPEN_MAX ? undefined : again.shift()
      await send(next ?? [randomUUID(), this.#pictures[i % this.#pictures.length]!])
    }
    // The last runtime lives: whatever is open now must be taken, once the locks of the dead requests are over.
    const deadline = Date.now() + IDEMPOTENCY_LOCK_MS + SETTLE_MS
    while (again.length > 0 && Date.now() < deadline) await send(again.shift()!)
    if (again.length > 0)
      throw new Error(`${again.length} uploads were never acknowledged; the last answer: ${this.lastRefusal}`)
  }

  async #post(key: string, bytes: Buffer): Promise<string | null> {
    const form = new FormData()
    form.set('image', new Blob([new Uint8Array(bytes)]), 'a.jpg')
    form.set('variants', '160x160,80x80')
    form.set('metadata', JSON.stringify({ upload: key }))
    const response = await fetch(`${this.url}/tasks`, {
      method: 'POST',
      body: form,
      headers: { 'Idempotency-Key': key },
    })
    const body = (await response.json()) as TaskBody & { detail?: string }
    if (response.status === 202) return body.id
    throw new Error(`${response.status} ${body.detail}`)
  }

  /** Nobody waits any more, and nothing is counted. */
  abandon(): void {
    this.#stopped = true
    this.url = ''
    for (const running of this.#running) running.catch(() => undefined)
  }

  /** Resolves when every upload was acknowledged; the runtime of `url` must stay alive. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }
}

async function allTasks(url: string): Promise<TaskBody[]> {
  const tasks: TaskBody[] = []
  let cursor = ''
  do {
    const response = await fetch(`${url}/tasks?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    const page = (await response.json()) as { items: TaskBody[]; nextCursor: string | null }
    tasks.push(...page.items)
    cursor = page.nextCursor ?? ''
  } while (cursor)
  return tasks
}

/** All tasks, once none is open, or none of those that are has ended for SETTLE_MS: a long queue is not stuck. */
async function settled(url: string): Promise<TaskBody[]> {
  let deadline = Date.now() + SETTLE_MS
  let fewest = Infinity
  for (;;) {
    const tasks = await allTasks(url)
    const open = tasks.filter(({ status }) => status === 'pending' || status === 'processing')
    if (open.length < fewest) deadline = Date.now() + SETTLE_MS
    fewest = Math.min(fewest, open.length)
    if (!open[0] || Date.now() > deadline) return tasks
    await fetch(`${url}/tasks/${open[0].id}`, { headers: { Prefer: 'wait=5' } }).then((response) => response.text())
  }
}

async function tornOf(url: string, task: TaskBody): Promise<boolean> {
  for (const { href, sha256 } of task.variants) {
    const response = await fetch(new URL(href, url))
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200 || createHash('sha256').update(bytes).digest('hex') !== sha256) return true
  }
  return task.variants.length !== 2
}

async function count(victim: Victim, clients: Clients, folder: string): Promise<Omit<ChaosResult, 'kills'>> {
  const tasks = await settled(victim.url)
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const uploads = new Map<string, number>()
  for (const { metadata } of tasks) uploads.set(metadata.upload ?? '', (uploads.get(metadata.upload ?? '') ?? 0) + 1)
  const acknowledged = [...clients.acknowledged.values()]
  const known = acknowledged.flatMap((id) => byId.get(id) ?? [])
  const completed = known.filter(({ status }) => status === 'completed')
  let torn = 0
  for (const task of completed) if (await tornOf(victim.url, task)) torn++
  const files = await readdir(join(folder, 'output'), { recursive: true })
  const whole = /(^[0-9a-f-]{36}$|\/(160x160|80x80)\.jpg$)/
  return {
    acknowledged: acknowledged.length,
    completed: completed.length,
    failed: known.filter(({ status }) => status === 'failed').length,
    lost: acknowledged.length - known.length,
    stuck: known.filter(({ status }) => status !== 'completed' && status !== 'failed').length,
    torn,
    doubled: [...uploads.values()].filter((times) => times > 1).length,
    // A killed writer leaves its temp file behind, under a name that no key can spell; anything else is a leftover.
    leftovers: files.filter((file) => !whole.test(file) && !/\/\.tmp-[^/]*$/.test(file)).length,
  }
}

/** Kills `kills` times, at random instants, at the crash points, and in the containers; then counts. */
export async function runChaos({ kills, seed, clients: clientCount = 3, onKill }: ChaosOptions): Promise<ChaosResult> {
  const random = randomOf(seed)
  const folder = await mkdtemp(join(tmpdir(), 'revela-chaos-'))
  const pictures = await Promise.all(
    [1, 2, 3].map((n) => picture({ width: 300 + n * 40, height: 240, quality: 70 + n })),
  )
  const clients = new Clients(pictures, clientCount)
  const done = { process: 0, crashPoint: 0, container: 0 }
  let survivor: Victim | null = null
  const total = (): number => done.process + done.crashPoint + done.container
  try {
    while (total() < kills) {
      const atPoint = random() < 0.5
      const point: CrashPoint = {
        ...CRASH_POINTS[Math.floor(random() * CRASH_POINTS.length)]!,
        nth: 1 + Math.floor(random() * 3),
      }
      const victim = await startVictim({ folder, crash: atPoint ? point : null })
      if (victim) {
        clients.url = victim.url
        const lifetime = 100 + random() * 500
        if (!atPoint && random() < 0.3) {
          await delay(lifetime)
          if (victim.killContainer()) done.container++
        }
        await Promise.race([victim.exited, delay(atPoint ? POINT_MS : lifetime)])
        if (victim.isAlive()) done.process++
        else done.crashPoint++
        victim.kill()
        await victim.exited
        // Its port may be another process's from now on.
        clients.url = ''
      } else done.crashPoint++
      onKill?.(total())
    }
    survivor = await startVictim({ folder })
    if (!survivor) throw new Error('the runtime did not start after the last kill')
    clients.url = survivor.url
    await clients.stop()
    return { kills: done, ...(await count(survivor, clients, folder)) }
  } finally {
    clients.abandon()
    await survivor?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
