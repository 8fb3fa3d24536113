/** Crash points: the process kills itself (SIGKILL) right before or after a call of a binding. Nothing in the product knows. */
import type { Consumer, ConsumeOptions, Delivery } from '#shared/consumer.ts'
import type { Verdict } from '#shared/verdict.ts'
import type { RuntimeBindings } from '../../runtime/bindings.ts'

export interface CrashPoint {
  /** `tasks.settle`, `blobs.put`, …; `queue.ack` is between a function's answer and the ack of its message. */
  at: string
  when: 'before' | 'after'
  /** The call at which it happens, counted from 1. */
  nth: number
}

/** The points at which something could be lost: each edge between two durable steps. */
export const CRASH_POINTS: readonly Omit<CrashPoint, 'nth'>[] = [
  { at: 'blobs.put', when: 'before' },
  { at: 'blobs.put', when: 'after' },
  { at: 'tasks.reserveKey', when: 'after' },
  { at: 'tasks.create', when: 'before' },
  { at: 'tasks.create', when: 'after' },
  { at: 'tasks.claim', when: 'before' },
  { at: 'tasks.claim', when: 'after' },
  { at: 'tasks.advance', when: 'after' },
  { at: 'tasks.settle', when: 'before' },
  { at: 'tasks.settle', when: 'after' },
  { at: 'queue.ack', when: 'before' },
]

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  // The signal is delivered before the next instruction of ours matters.
  throw new Error('killed')
}

function crashing<T extends object>(name: string, binding: T, { at, when, nth }: CrashPoint): T {
  let calls = 0
  return new Proxy(binding, {
    get(target, property) {
      const method: unknown = Reflect.get(target, property)
      if (typeof method !== 'function' || at !== `${name}.${String(property)}`) {
        return typeof method === 'function' ? (method.bind(target) as unknown) : method
      }
      return async (...args: unknown[]): Promise<unknown> => {
        const mine = ++calls === nth
        if (mine && when === 'before') die()
        const result: unknown = await Reflect.apply(method, target, args)
        if (mine && when === 'after') die()
        return result
      }
    },
  })
}

/** The bindings, with one point at which the process dies. */
export function withCrash(bindings: RuntimeBindings, point: CrashPoint | null): RuntimeBindings {
  if (!point) return bindings
  let acks = 0
  const consume = (
    queue: string,
    options: ConsumeOptions,
    handle: (delivery: Delivery) => Promise<Verdict>,
  ): Consumer => {
    return bindings.queue.consume(queue, options, async (delivery) => {
      const verdict = await handle(delivery)
      if (point.at === 'queue.ack' && ++acks === point.nth) die()
      return verdict
    })
  }
  return {
    ...bindings,
    tasks: crashing('tasks', bindings.tasks, point),
    blobs: crashing('blobs', bindings.blobs, point),
    queue: { ...bindings.queue, consume },
  }
}
