/** The bindings of one invocation. They close when its deadline passes: a function told "too late" can write no more. */
import type { Bindings, BlobStore, Invocation, Settings, TaskStore } from '#shared/bindings.ts'
import { InvocationEnded } from '#shared/errors.ts'
import { WAITERS_MAX } from './limits.ts'

/** What outlives an invocation: opened once, by the composition root. */
export type OpenBindings = Omit<Bindings, 'settings' | 'invocation'>

export interface Gate {
  closed: boolean
  /** What goes on behind the answer is its body: no caller waits for a slot meanwhile. */
  readonly answered: boolean
  readonly signal: AbortSignal
}

const NAMES = ['tasks', 'blobs', 'queue', 'cache', 'fetch', 'links'] as const satisfies (keyof OpenBindings)[]
/** The methods that return no promise: once the gate is closed they throw instead of rejecting. */
const DIRECT = new Set<PropertyKey>(['refusal', 'changes'])

let waiters = 0

export function waiterCount(): number {
  return waiters
}

/** By store, what ends the waits that are open; null once no wait may begin. */
const waits = new WeakMap<TaskStore, Set<() => void> | null>()

/** Whoever waits for a change of this store goes on at once, with the state that it has. */
export function endWaitsOf(tasks: TaskStore): void {
  const open = waits.get(tasks)
  waits.set(tasks, null)
  open?.forEach((end) => end())
}

/** `changes`; before the answer with a place in WAITERS_MAX, beyond which the present state is all that comes. */
function boundedChanges(tasks: TaskStore, gate: Gate): TaskStore['changes'] {
  return async function* changes(id, signal) {
    const open = waits.get(tasks)
    const place = gate.answered ? 0 : 1
    if (!open || waiters + place > WAITERS_MAX) {
      yield await tasks.get(id)
      return
    }
    const ended = new AbortController()
    const end = (): void => ended.abort()
    open.add(end)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    waiters += place
    try {
      yield* tasks.changes(id, ended.signal)
      // Ended by a drain: the change that it waited for may have come, and not been read yet.
      if (ended.signal.aborted && !signal.aborted) yield await tasks.get(id)
    } finally {
      waiters -= place
      open.delete(end)
      signal.removeEventListener('abort', end)
    }
  }
}

/** A put under way when the deadline passes must not appear later: the gate's signal is in every put. */
function gatedPut(blobs: BlobStore, gate: Gate): BlobStore['put'] {
  return (key, source, signal = gate.signal) =>
    blobs.put(key, source, signal === gate.signal ? signal : AbortSignal.any([signal, gate.signal]))
}

/** Each method asks the gate anew at each call. */
function guarded<T extends object>(target: T, gate: Gate, overrides: object): T {
  return new Proxy(target, {
    get(_target, property) {
      const value: unknown = Reflect.get(Object.hasOwn(overrides, property) ? overrides : target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (!gate.closed) return Reflect.apply(value, target, args)
        if (DIRECT.has(property)) throw new InvocationEnded()
        return Promise.reject(new InvocationEnded())
      }
    },
  })
}

export type BindingsOf = (settings: Settings, invocation: Invocation, gate: Gate) => Bindings

/** Makes `c.env`. Each binding is wrapped when it is first touched, since most requests touch two of them. */
export function guardBindings(open: OpenBindings): BindingsOf {
  waits.set(open.tasks, new Set())
  class InvocationBindings {
    readonly settings: Settings
    readonly invocation: Invocation
    readonly gate: Gate
    readonly touched: Partial<Record<keyof OpenBindings, object>> = {}
    constructor(settings: Settings, invocation: Invocation, gate: Gate) {
      this.settings = settings
      this.invocation = invocation
      this.gate = gate
    }
  }
  for (const name of NAMES) {
    Object.defineProperty(InvocationBindings.prototype, name, {
      get(this: InvocationBindings) {
        const { gate } = this
        const put = name === 'blobs' ? { put: gatedPut(open.blobs, gate) } : {}
        const own = name === 'tasks' ? { changes: boundedChanges(open.tasks, gate) } : put
        return (this.touched[name] ??= guarded(open[name], gate, own))
      },
    })
  }
  return (settings, invocation, gate) => new InvocationBindings(settings, invocation, gate) as unknown as Bindings
}
