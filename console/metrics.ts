/** What is counted, and told of each invocation that ends. What shows the numbers is loaded after the first answers. */
import type { Registry } from 'prom-client'
import type { Measures } from '#shared/bindings.ts'
import type { RunningInvocation } from '../runtime/invocation.ts'
import type { LoadedFunction } from '../runtime/loader.ts'
import type { CollectOptions, Counts } from './counts.ts'

/**
 * Numbers that are kept until then; what comes beyond is not counted. A start has a few dozen; where nobody scrapes, half
 * of them have the code loaded.
 */
export const UNTOLD_MAX = 10_000

export type Metrics = ReturnType<typeof createMetrics>

export interface EndedInvocation {
  fn: LoadedFunction
  invocation: RunningInvocation
  request: Request
  /** The traceparent that it continues; undefined where it is the request's. */
  parent: string | undefined
  status: number
  ms: number
  /** Why there is no Response of the function's own; undefined where there is one. */
  err: unknown
}

/** prom-client and what it loads are 20 ms of CPU, which nobody's first request has to wait for. */
const loadCounts = async (): Promise<Counts> => (await import('./counts.ts')).openCounts()

export function createMetrics(load = loadCounts) {
  const untold: ((counts: Counts) => void)[] = []
  const parts: ((counts: Counts) => void | Promise<void>)[] = []
  const listeners: ((ended: EndedInvocation) => void)[] = []
  let counts: Counts | undefined
  let opening: Promise<Counts> | undefined

  const tell = (what: (counts: Counts) => void): void => {
    if (counts) what(counts)
    else if (untold.length < UNTOLD_MAX && untold.push(what) === UNTOLD_MAX / 2) openOnce().catch(() => undefined)
  }
  /** What would not be shown is a mistake. */
  const add = (part: (counts: Counts) => void | Promise<void>): void => {
    if (opening) throw new Error('What metrics show is named before they are first read.')
    parts.push(part)
  }
  const open = async (): Promise<Counts> => {
    const opened = await load()
    for (const part of parts) await part(opened)
    for (const what of untold.splice(0)) what(opened)
    return (counts = opened)
  }
  const fail = (error: unknown): never => {
    opening = undefined
    throw error
  }
  const openOnce = (): Promise<Counts> => (opening ??= open().catch(fail))
  return {
    /** Called once for each invocation. */
    ended(ended: EndedInvocation): void {
      const { fn, status, ms } = ended
      fn.answered.set(status, (fn.answered.get(status) ?? 0) + 1)
      tell(({ duration }) => duration.observe({ function: fn.name }, ms / 1_000))
      for (const listener of listeners) listener(ended)
    },
    /** `listener` is told of each invocation that ends from now on. */
    onEnded(listener: (ended: EndedInvocation) => void): void {
      listeners.push(listener)
    },
    coldstart: (name: string): void => tell(({ coldstarts }) => coldstarts.inc({ function: name })),
    containers: (name: string, alive: number): void =>
      tell(({ containers }) => containers.set({ function: name }, alive)),
    verdict: (queue: string, verdict: string): void => tell(({ verdicts }) => verdicts.inc({ queue, verdict })),
    /** Throws TypeError for what no counter takes: then, and not when it is shown. */
    measure(name: keyof Measures, value: number, labels: Record<string, string>): void {
      if (!(value >= 0 && value < Infinity)) throw new TypeError(`${name}: expected a number from 0, got ${value}`)
      tell((opened) => opened.measure(name, value, labels))
    },
    /** What is read when it is scraped. Before the first registry(). */
    collect: (options: CollectOptions): void => add((opened) => opened.collect(options)),
    /** Adds what a part of the process shows of itself. Before the first registry(). */
    extend: (show: (registry: Registry) => void | Promise<void>): void => add(({ registry }) => show(registry)),
    /**
     * With all that was counted so far. Rejects where its code cannot be loaded, and tries again when it is asked again; of
     * a module that failed while it ran Node keeps the failure until the process ends.
     */
    registry: async (): Promise<Registry> => (await openOnce()).registry,
  }
}
