/** Calls from a container to the runtime's bindings, as messages of its channel. Bytes never cross it. */
import type { Bindings, Invocation, Logger, TaskStore } from '#shared/bindings.ts'
import { type Call, METHODS, type RemoteBinding } from '#shared/calls.ts'
import { InvocationEnded, Problem } from '#shared/errors.ts'
import type { Task } from '#shared/task.ts'
import { type AllowedCalls, refusalOf } from './call-rules.ts'
import { CACHE_WRITES_MAX } from './limits.ts'

export interface CallMessage {
  type: 'call'
  call: number
  invocation: string
  binding: RemoteBinding | 'changes'
  method: string
  args: unknown[]
}

export interface NoteMessage {
  type: 'note'
  invocation: string
  note:
    | { log: keyof Logger; message: string; fields?: Record<string, unknown> }
    | { taskId: string }
    | { measure: Parameters<Invocation['measure']> }
}

interface WireError {
  name: string
  message: string
  problem?: Pick<Problem, 'code' | 'status' | 'headers' | 'errors' | 'unanswered'>
}

export interface ResultMessage {
  type: 'result'
  call: number
  value?: unknown
  error?: WireError
}

function toWire(error: unknown): WireError {
  if (error instanceof Problem) {
    const { name, message, code, status, headers, errors, unanswered } = error
    return { name, message, problem: { code, status, headers, errors, unanswered } }
  }
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) }
}

function fromWire({ name, message, problem }: WireError): Error {
  if (problem) {
    const { code, status, headers, errors, unanswered } = problem
    return new Problem(code, message, { status, headers, unanswered, ...(errors ? { errors } : {}) })
  }
  return name === 'InvocationEnded' ? new InvocationEnded() : new Error(message)
}

/** Loaded with the first call that is checked: a start that hears none does not pay for the schemas. */
let shapes: typeof import('./call-shapes.ts') | undefined

/** The arguments as far as the method takes them. Throws on any that no honest container sends. */
async function checked(allowed: AllowedCalls, call: string, args: unknown[]): Promise<unknown[]> {
  if (allowed === 'all') return args
  shapes ??= await import('./call-shapes.ts')
  return shapes.checkArgs(call as Call, args)
}

/** The keys are of one task, but their number has no end, and each costs memory that all share. */
function countWrite(live: Live): void {
  live.cacheWrites = (live.cacheWrites ?? 0) + 1
  if (live.cacheWrites > CACHE_WRITES_MAX) throw new Error(`Expected at most ${CACHE_WRITES_MAX} writes to the cache.`)
}

function refuse(reason: string | null): void {
  if (reason !== null) throw new Error(reason)
}

/** Whose calls they are, and what they may be about. */
export interface Live {
  env: Bindings
  /** The task of the invocation, where its trigger names one. */
  task: string | undefined
  /** So far. */
  cacheWrites?: number
}

export interface ServeOptions {
  allowed: AllowedCalls
  /** Undefined when it is not, or no longer, alive. */
  liveOf: (invocation: string) => Live | undefined
  reply: (message: ResultMessage) => void
}

/** Runs one container's calls on the bindings of its live invocations, and of no other. */
export function serveCalls({ allowed, liveOf, reply }: ServeOptions) {
  const iterations = new Map<string, { iterator: AsyncIterator<Task | null>; stop: AbortController }>()
  const end = (key: string): void => {
    const iteration = iterations.get(key)
    iterations.delete(key)
    iteration?.stop.abort()
    // A generator that waits at a yield hears no signal: it has to be told to return.
    void iteration?.iterator.return?.().catch(() => undefined)
  }
  const changes = async (env: Bindings, { invocation, method, args }: CallMessage): Promise<unknown> => {
    const key = `${invocation}.${String(args[0])}`
    if (method === 'next') return await iterations.get(key)?.iterator.next()
    end(key)
    if (method !== 'open') return undefined
    const stop = new AbortController()
    iterations.set(key, { stop, iterator: env.tasks.changes(String(args[1]), stop.signal)[Symbol.asyncIterator]() })
    return undefined
  }
  const run = async (message: CallMessage): Promise<unknown> => {
    const live = liveOf(message.invocation)
    if (!live) throw new InvocationEnded()
    const { env, task } = live
    const { binding: name, method, args } = message
    if (name === 'changes') {
      if (method === 'open') refuse(refusalOf(allowed, 'tasks.changes', args.slice(1), task))
      return await changes(env, message)
    }
    const methods: readonly string[] = Object.hasOwn(METHODS, name) ? METHODS[name] : []
    if (!methods.includes(method)) throw new Error(`${name}.${method} is not a binding's method`)
    const call = `${name}.${method}`
    refuse(refusalOf(allowed, call, args, task))
    if (allowed !== 'all' && name === 'cache' && method !== 'get') countWrite(live)
    const binding = env[name] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    return await binding[method]!(...(await checked(allowed, call, args)))
  }
  return {
    call(message: CallMessage): void {
      const { call } = message
      run(message)
        .then((value) => reply({ type: 'result', call, value }))
        // Also a value that cannot be sent: the caller waits for an answer, whatever it is.
        .catch((error: unknown) => reply({ type: 'result', call, error: toWire(error) }))
    },
    note(env: Bindings, note: NoteMessage['note']): void {
      if ('taskId' in note) env.invocation.taskId(note.taskId)
      else if ('measure' in note) env.invocation.measure(...note.measure)
      else env.invocation.log[note.log](note.message, note.fields)
    },
    /** Stops the iterations of an invocation that is over. */
    endInvocation(invocation: string): void {
      for (const key of iterations.keys()) if (key.startsWith(`${invocation}.`)) end(key)
    },
  }
}

/** The container's side: bindings that call the runtime. */
export function remoteBindings(send: (message: CallMessage | NoteMessage) => void) {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let calls = 0
  const call = (
    invocation: string,
    binding: CallMessage['binding'],
    method: string,
    args: unknown[],
  ): Promise<unknown> => {
    // JSON has no undefined: at the end of a list it would become a null, which is not what left out means.
    while (args.length > 0 && args.at(-1) === undefined) args.pop()
    return new Promise((resolve, reject) => {
      send({ type: 'call', call: ++calls, invocation, binding, method, args })
      waiting.set(calls, { resolve, reject })
    })
  }
  const bind = (invocation: string, name: RemoteBinding, more: object = {}): unknown => {
    const methods = METHODS[name].map(
      (method) => [method, (...args: unknown[]) => call(invocation, name, method, args)] as const,
    )
    return { ...Object.fromEntries(methods), ...more }
  }
  let iterations = 0
  const changesOf = (invocation: string): TaskStore['changes'] =>
    async function* changes(id, signal) {
      const iteration = ++iterations
      const stop = (): void => void call(invocation, 'changes', 'close', [iteration]).catch(() => undefined)
      await call(invocation, 'changes', 'open', [iteration, id])
      signal.addEventListener('abort', stop, { once: true })
      try {
        while (!signal.aborted) {
          const next = (await call(invocation, 'changes', 'next', [iteration])) as
            | IteratorResult<Task | null>
            | undefined
          if (!next || next.done) return
          yield next.value
        }
      } finally {
        signal.removeEventListener('abort', stop)
        stop()
      }
    }
  return {
    of(invocation: string): Pick<Bindings, RemoteBinding> {
      const tasks = bind(invocation, 'tasks', { changes: changesOf(invocation) })
      return {
        tasks,
        queue: bind(invocation, 'queue'),
        cache: bind(invocation, 'cache'),
        links: bind(invocation, 'links'),
      } as Pick<Bindings, RemoteBinding>
    },
    result({ call: number, value, error }: ResultMessage): void {
      const caller = waiting.get(number)
      waiting.delete(number)
      if (error) caller?.reject(fromWire(error))
      else caller?.resolve(value)
    },
  }
}
