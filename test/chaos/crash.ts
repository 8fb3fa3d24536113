/** Faults at named points: right before or after a call of a binding. Nothing in the product knows of them. */
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { BlobStore, ByteSource } from '#shared/bindings.ts'
import type { Consumer, ConsumeOptions, Delivery } from '#shared/consumer.ts'
import type { Verdict } from '#shared/verdict.ts'
import type { RuntimeBindings } from '../../runtime/bindings.ts'

/**
 * The ways in which the process ends; `hold` stays at the point until the mark is released, and `alter` stores one byte
 * more than the function asked for, as another version of its encoder might.
 */
export type Effect = 'kill' | 'segfault' | 'abort' | 'exit' | 'spin' | 'hold' | 'alter'

export interface CrashPoint {
  /** `tasks.settle`, `blobs.put`, …; `queue.ack` is between a function's answer and the ack of its message. */
  at: string
  /** `during`: of a put, when half of the bytes are taken. */
  when: 'before' | 'during' | 'after'
  /** The call at which it happens, counted from 1 in each process. */
  nth: number
  /** Default `kill`, with SIGKILL. */
  effect?: Effect
  /** Path without extension of the files that tell of this point. With one it strikes once, in however many processes. */
  mark?: string
  /** Strikes at every call from the nth on. */
  each?: boolean
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

const HOLD_STEP_MS = 5

export const reachedFile = (mark: string): string => `${mark}.reached`
export const releasedFile = (mark: string): string => `${mark}.released`

function die(effect: Effect): never {
  if (effect === 'exit') process.exit(1)
  if (effect === 'abort') process.abort()
  // eslint-disable-next-line no-empty
  if (effect === 'spin') for (;;) {}
  process.kill(process.pid, effect === 'segfault' ? 'SIGSEGV' : 'SIGKILL')
  // The signal is delivered before the next instruction of ours matters.
  throw new Error('killed')
}

/** False when another call was first. */
function reach({ mark, each = false }: CrashPoint): boolean {
  if (mark === undefined) return true
  try {
    writeFileSync(reachedFile(mark), String(process.pid), { flag: 'wx' })
    return true
  } catch {
    return each
  }
}

async function strike(point: CrashPoint): Promise<void> {
  const { effect = 'kill', mark } = point
  if (effect === 'alter' || !reach(point)) return
  if (effect !== 'hold') die(effect)
  if (mark === undefined) throw new Error('a hold needs a mark, or nothing ends it')
  const released = releasedFile(mark)
  while (!existsSync(released)) await delay(HOLD_STEP_MS)
}

async function* halved(source: ByteSource, middle: () => Promise<void>): AsyncGenerator<Uint8Array> {
  let passed = false
  for await (const chunk of source instanceof Uint8Array ? [source] : source) {
    const half = passed ? 0 : Math.ceil(chunk.length / 2)
    if (!passed) yield chunk.subarray(0, half)
    if (!passed) await middle()
    passed = true
    yield chunk.subarray(half)
  }
}

async function* longer(source: ByteSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) yield source
  else yield* source
  yield Uint8Array.of(0)
}

export interface Faults {
  /** The binding, with the points that are named after it. */
  on<T extends object>(name: string, binding: T): T
}

/** Calls are counted over all bindings of a name, however often they are wrapped. */
export function faultsAt(points: readonly CrashPoint[]): Faults {
  const calls = new Map<string, number>()
  const dueAt = (at: string, own: readonly CrashPoint[]): readonly CrashPoint[] => {
    const call = (calls.get(at) ?? 0) + 1
    calls.set(at, call)
    return own.filter(({ nth, each = false }) => (each ? call >= nth : call === nth))
  }
  return {
    on: (name, binding) => {
      return new Proxy(binding, {
        get(target, property) {
          const method: unknown = Reflect.get(target, property)
          if (typeof method !== 'function') return method
          const at = `${name}.${String(property)}`
          const own = points.filter((point) => point.at === at)
          if (own.length === 0) return method.bind(target) as unknown
          return async (...args: unknown[]): Promise<unknown> => {
            const due = dueAt(at, own)
            const pass = async (when: CrashPoint['when']): Promise<void> => {
              for (const point of due) if (point.when === when) await strike(point)
            }
            await pass('before')
            const given = at === 'blobs.put' ? putThrough(args as Put, due, () => pass('during')) : args
            const result: unknown = await Reflect.apply(method, target, given)
            await pass('after')
            return result
          }
        },
      })
    },
  }
}

type Put = Parameters<BlobStore['put']>

function putThrough([key, source, signal]: Put, due: readonly CrashPoint[], middle: () => Promise<void>): Put {
  const altered = due.some((point) => point.effect === 'alter' && reach(point)) ? longer(source) : source
  return [key, due.some(({ when }) => when === 'during') ? halved(altered, middle) : altered, signal]
}

/** The runtime's bindings, with points at which its process dies. What a container does itself is not among them. */
export function withCrash(bindings: RuntimeBindings, points: readonly CrashPoint[]): RuntimeBindings {
  if (points.length === 0) return bindings
  const faults = faultsAt(points)
  // Its one method stands for the moment between a function's answer and the ack.
  const acks = faults.on('queue', { ack: async () => undefined })
  const consume = (
    queue: string,
    options: ConsumeOptions,
    handle: (delivery: Delivery) => Promise<Verdict>,
  ): Consumer => {
    return bindings.queue.consume(queue, options, async (delivery) => {
      const verdict = await handle(delivery)
      await acks.ack()
      return verdict
    })
  }
  return {
    ...bindings,
    tasks: faults.on('tasks', bindings.tasks),
    blobs: faults.on('blobs', bindings.blobs),
    fetch: faults.on('fetch', bindings.fetch),
    queue: faults.on('queue', { ...bindings.queue, consume }),
  }
}
