/** The functions of this project as a cloud has them: those of HTTP together, each queue function and timer alone. */
import type { FunctionConfig } from '#shared/function.ts'
import { checkConfig, type ResolvedConfig } from '../../runtime/loader.ts'
import type { Dispatcher } from './dispatcher.ts'
import { bundle } from './entries/bundle.ts'
import { type Program, type ProgramOptions, startOnFreePort } from './programs.ts'

type QueueTrigger = Extract<ResolvedConfig['trigger'], { type: 'queue' }>

export interface QueuePart {
  name: string
  trigger: QueueTrigger
  /** Processes of it, each with one message at a time where its config isolates it. */
  instances: number
  /** Messages at once in one of them. */
  each: number
}

export interface Parts {
  http: string[]
  queues: QueuePart[]
  timers: string[]
}

/** By the configs, and by CONCURRENCY for the function that it is for. */
export async function partsOf(env: Record<string, string>): Promise<Parts> {
  const parts: Parts = { http: [], queues: [], timers: [] }
  for (const { name, config } of await bundle()) {
    const { trigger, isolation } = checkConfig(config satisfies FunctionConfig)
    if (trigger.type === 'http') parts.http.push(name)
    if (trigger.type === 'timer') parts.timers.push(name)
    if (trigger.type !== 'queue') continue
    const asked = name === 'process-image' ? Number(env['CONCURRENCY'] ?? trigger.concurrency) : trigger.concurrency
    const isAlone = isolation === 'process'
    parts.queues.push({ name, trigger, instances: isAlone ? asked : 1, each: isAlone ? 1 : asked })
  }
  return parts
}

/** One of several processes of a function: the one with the fewest messages. */
export function sharedOut(urls: readonly string[]) {
  const running = new Map(urls.map((url) => [url, 0]))
  return async <T>(run: (url: string) => Promise<T>): Promise<T> => {
    const [url] = [...running].reduce((least, each) => (each[1] < least[1] ? each : least))
    running.set(url, running.get(url)! + 1)
    try {
      return await run(url)
    } finally {
      running.set(url, running.get(url)! - 1)
    }
  }
}

/** How to run one process, for the functions that it serves and its port. */
export type ProgramOf = (functions: string, port: number) => Omit<ProgramOptions, 'port'>

/** Starts them all at once, and ends those that did when one does not. */
export async function startAll(program: ProgramOf, bundles: readonly (readonly string[])[]): Promise<Program[]> {
  const starting = bundles.map(async (names) => await startOnFreePort((port) => program(names.join(','), port)))
  const settled = await Promise.allSettled(starting)
  const programs = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = settled.find((each) => each.status === 'rejected')
  if (!failed) return programs
  await Promise.allSettled(programs.map(async (each) => await each.stop()))
  throw failed.reason
}

/** What could still be asked for work ends first. */
export async function endAll(programs: readonly Program[]): Promise<void> {
  for (const program of programs) await program.stop()
}

/** How often a platform's timer fires here; clouds have a minute at least. */
const TICK_MS = 5_000

export function ticking(fire: (at: Date) => Promise<unknown>): Disposable {
  const timer = setInterval(() => void fire(new Date()).catch(() => undefined), TICK_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** How many messages about images there are in this state, as the platform itself counts them. */
export function counted(images: Pick<Dispatcher<unknown>, 'counts'>): (state: 'waiting' | 'active') => Promise<number> {
  return async (state) => images.counts()[state]
}
