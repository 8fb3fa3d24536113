/** One test's folder: its victims, what the test itself sees of their stores, and the marks of its crash points. */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { BlobStore } from '#shared/bindings.ts'
import { CHECK_LEASE_MS } from '#shared/limits.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import type { BlobKey, StoredFile } from '#shared/variant.ts'
import sweepTasks from '../../../functions/sweep-tasks/config.ts'
import type { RuntimeBindings } from '../../../runtime/bindings.ts'
import { LEASE_MS } from '../../../runtime/drivers/queue/sqlite.ts'
import { until } from '../../runtime/until.ts'
import { type CrashPoint, reachedFile, releasedFile } from '../crash.ts'
import { startVictim, type Victim, type VictimOptions } from '../victims.ts'
import { embedded } from './stack-embedded.ts'
import type { Stack } from './stacks.ts'

/** Far more than a healthy machine needs, for one that also runs everything else. */
export const BOUND_MS = 60_000
/** An observer leaves the machine to those that it observes. */
const LOOK_STEP_MS = 5
/** Options of a suite: each of its tests has a scene of its own, and waits more than it works. */
export const IN_PARALLEL = { timeout: 180_000, concurrent: true }

/** The document's lease: how long it leaves a delivery alone of which it hears nothing. */
export const DELIVERY_MS = CHECK_LEASE_MS
export const SWEEP_MS = sweepTasks.trigger.everyMs
/** In which I1 makes every task terminal once the faults end: a queue's lease and two sweeps. */
export const ACCEPTED_MS = LEASE_MS + 2 * SWEEP_MS
/** In place of a function's own backoff. */
export const QUICK = { backoff: { initialMs: 20, factor: 1, maxMs: 20 } }

/** The functions of a replica that only takes requests, and of one that only works. */
export const API = { FUNCTIONS: 'create-task,get-task,get-variant,delete-task' }
export const SWEEPER = { FUNCTIONS: 'sweep-tasks' }
export const WORKER = { FUNCTIONS: 'process-image,notify,sweep-tasks' }

export interface Mark {
  /** To be given to a crash point. */
  mark: string
  isReached: () => boolean
  reached: () => Promise<unknown>
  /** Ends a hold. */
  release: () => void
}

type Init = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> }

export interface Upload {
  bytes: Uint8Array
  fields?: Record<string, string>
}

export interface Scene extends AsyncDisposable {
  folder: string
  stack: Stack
  /** On the victims' stores, in the test's own process. */
  stores: RuntimeBindings
  /** Rejects when it does not come to listen. */
  start(options?: Omit<VictimOptions, 'folder'>): Promise<Victim>
  /** Resolves when the victim has died at its point, be it before it listened; rejects when it died of something else. */
  dies(options: Omit<VictimOptions, 'folder' | 'crash'> & { crash: CrashPoint }): Promise<void>
  mark(): Mark
  /** With the scene's key: no runtime of another scene, which may get the port of a dead one, takes it for its own. */
  request(url: string, init?: Init): Promise<Response>
  /** The id of a task that was answered with 202; rejects for any other answer, and for none. */
  upload(victim: Victim, image: Upload): Promise<string>
  task(id: string): Promise<Task | null>
  /** Rejects when the task is not terminal in time. */
  terminal(id: string, ms?: number): Promise<Task>
}

export async function openScene(stack: Stack = embedded): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-invariant-'))
  const stores = await stack.open(folder)
  const victims: Victim[] = []
  const key = randomUUID()
  let marks = 0
  const task = (id: string): Promise<Task | null> => stores.tasks.get(id)
  const request: Scene['request'] = (url, init = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, 'x-api-key': key } })
  const given = ({ env, ...options }: Omit<VictimOptions, 'folder'>): VictimOptions => {
    const own = { API_KEY: key, SERVER_HOST: '127.0.0.1', ...stack.env(folder), ...env }
    return { folder, quiet: true, ...options, env: own }
  }
  const start: Scene['start'] = async (options = {}) => {
    const victim = await startVictim(given(options))
    if (!victim) throw new Error('the victim died before it listened')
    victims.push(victim)
    return victim
  }
  const newMark = (): Mark => {
    const mark = join(folder, `point-${++marks}`)
    const isReached = (): boolean => existsSync(reachedFile(mark))
    return {
      mark,
      isReached,
      reached: () => until(mark, isReached, BOUND_MS),
      release: () => writeFileSync(releasedFile(mark), ''),
    }
  }
  return {
    folder,
    stack,
    stores,
    request,
    async upload({ url }, { bytes, fields = {} }) {
      const form = new FormData()
      form.set('image', new Blob([new Uint8Array(bytes)]), 'a.jpg')
      for (const [name, value] of Object.entries({ variants: '160x160,80x80', ...fields })) form.set(name, value)
      const response = await request(`${url}/tasks`, { method: 'POST', body: form })
      const body = (await response.json()) as { id: string; detail?: string }
      if (response.status !== 202) throw new Error(`${response.status} ${body.detail}`)
      return body.id
    },
    start,
    async dies({ crash, ...options }) {
      const { mark, isReached } = newMark()
      const victim = await startVictim(given({ ...options, crash: { ...crash, mark } }))
      if (victim) victims.push(victim)
      await victim?.exited
      if (!isReached()) throw new Error(`the victim died, but not ${crash.when} ${crash.at}`)
    },
    mark: newMark,
    task,
    async terminal(id, ms = BOUND_MS) {
      return await until(
        `${id} is terminal`,
        async () => {
          const found = await task(id)
          return found && isTerminal(found) ? found : null
        },
        ms,
      )
    },
    async [Symbol.asyncDispose]() {
      for (const victim of victims) victim.kill()
      await Promise.all(victims.map(({ exited }) => exited))
      await stores.close()
      await stack.close(folder)
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
    },
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export async function bytesOf(blobs: BlobStore, key: BlobKey): Promise<Buffer | null> {
  const blob = await blobs.get(key)
  return blob && Buffer.from(await new Response(blob.body).arrayBuffer())
}

async function fault(blobs: BlobStore, { key, bytes, sha256: hash }: StoredFile): Promise<string[]> {
  const found = await bytesOf(blobs, key)
  if (!found) return [`${key} is not there`]
  return found.length === bytes && sha256(found) === hash ? [] : [`${key} is not what was recorded`]
}

/** What is recorded of a task's outputs, and is not so. */
export async function torn({ blobs }: RuntimeBindings, task: Task): Promise<string[]> {
  const files = task.variants.flatMap((variant) => [variant, ...Object.values(variant.derived)])
  const faults = (await Promise.all(files.map((file) => fault(blobs, file)))).flat()
  const missing = task.status === 'completed' && task.variants.length !== task.options.variants.length
  return missing ? [...faults, 'a variant is not recorded'] : faults
}

export interface Observer {
  looks: () => number
  /** Throws what was wrong so far. */
  check: () => void
  /** Rejects with what was wrong. */
  stop(): Promise<void>
}

/** Looks again and again until it is stopped, or what it returns, a list of faults, is not empty. */
export function observe(look: () => Promise<readonly string[]>): Observer {
  const state: { stopped: boolean; looks: number; error: unknown } = { stopped: false, looks: 0, error: null }
  const watching = (async () => {
    while (!state.stopped) {
      const [fault] = await look()
      state.looks++
      if (fault !== undefined) throw new Error(`seen at look ${state.looks}: ${fault}`)
      await delay(LOOK_STEP_MS)
    }
  })()
  watching.catch((error: unknown) => {
    state.error = error
  })
  return {
    looks: () => state.looks,
    check: () => {
      if (state.error !== null) throw state.error
    },
    stop: async () => {
      state.stopped = true
      await watching
    },
  }
}
