/** The bindings of one invocation. They close when its deadline passes: a function told "too late" can write no more. */
import type { Bindings, Invocation, Settings, TaskStore } from '#shared/bindings.ts'
import { InvocationEnded } from '#shared/errors.ts'
import { WAITERS_MAX } from './limits.ts'

/** What outlives an invocation: opened once, by the composition root. */
export type OpenBindings = Omit<Bindings, 'settings' | 'invocation'>

export interface Gate {
  closed: boolean
  readonly signal: AbortSignal
}

type Call = (...args: unknown[]) => unknown

/** Rejects (or, for what is not async, throws) once the gate is closed; asks anew at each call. */
function guarded<T extends object>(target: T, gate: Gate, overrides: Partial<T> = {}): T {
  return new Proxy(target, {
    get(_target, property) {
      const own = Object.hasOwn(overrides, property)
      const value: unknown = Reflect.get(own ? overrides : target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (gate.closed)
          return property === 'refusal' || property === 'changes' ? throwEnded() : Promise.reject(new InvocationEnded())
        return (value as Call).apply(target, args)
      }
    },
  })
}

function throwEnded(): never {
  throw new InvocationEnded()
}

let waiters = 0

export function waiterCount(): number {
  return waiters
}

/** `changes` with a place of its own in WAITERS_MAX; beyond it the present state is all that comes. */
async function* boundedChanges(tasks: TaskStore, id: string, signal: AbortSignal) {
  if (waiters >= WAITERS_MAX) {
    yield await tasks.get(id)
    return
  }
  waiters++
  try {
    yield* tasks.changes(id, signal)
  } finally {
    waiters--
  }
}

/** `c.env`: each binding is wrapped when it is first touched, since most requests touch two of them. */
export class InvocationBindings implements Bindings {
  readonly settings: Settings
  readonly invocation: Invocation
  readonly #open: OpenBindings
  readonly #gate: Gate
  #tasks?: Bindings['tasks']
  #blobs?: Bindings['blobs']
  #queue?: Bindings['queue']
  #cache?: Bindings['cache']
  #fetch?: Bindings['fetch']
  #links?: Bindings['links']

  constructor(open: OpenBindings, settings: Settings, invocation: Invocation, gate: Gate) {
    this.#open = open
    this.settings = settings
    this.invocation = invocation
    this.#gate = gate
  }

  get tasks() {
    const { tasks } = this.#open
    return (this.#tasks ??= guarded(tasks, this.#gate, { changes: (id, signal) => boundedChanges(tasks, id, signal) }))
  }
  get blobs() {
    const { blobs } = this.#open
    // A put under way when the deadline passes must not appear later: the gate's signal is in every put.
    return (this.#blobs ??= guarded(blobs, this.#gate, {
      put: (key, source, signal) =>
        blobs.put(
          key,
          source,
          signal && signal !== this.#gate.signal ? AbortSignal.any([signal, this.#gate.signal]) : this.#gate.signal,
        ),
    }))
  }
  get queue() {
    return (this.#queue ??= guarded(this.#open.queue, this.#gate))
  }
  get cache() {
    return (this.#cache ??= guarded(this.#open.cache, this.#gate))
  }
  get fetch() {
    return (this.#fetch ??= guarded(this.#open.fetch, this.#gate))
  }
  get links() {
    return (this.#links ??= guarded(this.#open.links, this.#gate))
  }
}
