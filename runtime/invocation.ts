/** One run of a function: its identity, its deadline, its log lines, and the gate of its bindings. */
import type { Caller, Invocation, Logger, Measures } from '#shared/bindings.ts'
import { type Deadline, forgetDeadline, watchDeadline } from './deadlines.ts'
import type { Gate } from './guard.ts'
import { UNDO_MS, UPLOAD_TOTAL_MS } from './limits.ts'
import { invocationLogger, type RootLogger } from '../console/logger.ts'
import type { Metrics } from '../console/metrics.ts'
import { childTraceparent, randomHex, traceIdOf } from './trace.ts'

/** What a trigger knows of a request beside the request. */
export interface InvocationContext {
  caller: Caller
  /** Default 1. */
  attempt?: number | undefined
  /** The invocation's own; a new trace where it is left out. */
  traceparent?: string | undefined
  /** The traceparent that it continues; default: the request's. */
  parent?: string | undefined
  taskId?: string | undefined
  /** Bytes received so far on the request's connection: while they grow, the deadline moves on. */
  bytesRead?: (() => number) | undefined
  /** False while the request's body is still arriving. */
  bodyComplete?: (() => boolean) | undefined
  /** What a platform leaves the function, in ms: its deadline is no later. */
  maxMs?: number | undefined
}

/** The reason of an aborted signal, and how a host tells a deadline from a client that went away. */
export class DeadlinePassed extends Error {
  override readonly name = 'TimeoutError'
}

/** The process that ran the function ended before it answered. */
export class FunctionDied extends Error {
  override readonly name: string = 'FunctionDied'
}

/** It was ended with the runtime: whatever it worked on goes back to where it came from, and nobody failed. */
export class RuntimeClosing extends FunctionDied {
  override readonly name = 'RuntimeClosing'
}

export class RunningInvocation implements Invocation, Gate {
  readonly id = randomHex(8)
  readonly startedAt = performance.now()
  readonly function: string
  readonly attempt: number
  readonly traceparent: string
  readonly caller: Caller
  closed = false
  answered = false
  readonly #request: Request
  readonly #context: InvocationContext
  readonly #root: RootLogger
  readonly #metrics: Metrics
  #taskId: string | undefined
  #controller: AbortController | undefined
  #log: Logger | undefined
  #deadline: Deadline | undefined
  #timeoutMs = 0
  #seen = 0

  constructor(name: string, request: Request, context: InvocationContext, root: RootLogger, metrics: Metrics) {
    this.function = name
    this.attempt = context.attempt ?? 1
    this.traceparent = context.traceparent ?? childTraceparent(null)
    this.caller = context.caller
    this.#request = request
    this.#context = context
    this.#taskId = context.taskId
    this.#root = root
    this.#metrics = metrics
  }

  // Made when it is first asked for: most requests are answered before anyone looks at their signal.
  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal
    const controller = (this.#controller = new AbortController())
    const gone = this.#request.signal
    if (gone.aborted) controller.abort(gone.reason)
    else gone.addEventListener('abort', () => controller.abort(gone.reason), { once: true })
    return controller.signal
  }

  get log(): Logger {
    return (this.#log ??= invocationLogger(this.#root, () => this.fields()))
  }

  fields(): Record<string, unknown> {
    const { function: name, id: invocation, attempt } = this
    return { function: name, invocation, trace: traceIdOf(this.traceparent), task: this.#taskId, attempt }
  }

  taskId(id: string): void {
    this.#taskId = id
  }

  measure<Name extends keyof Measures>(name: Name, value: number, labels: Measures[Name]): void {
    this.#metrics.measure(name, value, { ...labels })
  }

  /** The task that its trigger names; what the function says of it goes no further than the log. */
  get about(): string | undefined {
    return this.#context.taskId
  }

  get #arrived(): number {
    return this.#context.bytesRead?.() ?? 0
  }

  get #isArriving(): boolean {
    return this.#arrived > this.#seen && performance.now() - this.startedAt < UPLOAD_TOTAL_MS
  }

  /** What arrived since the last look will move it on by the whole time: it counts as moved already. */
  get deadline(): number {
    const at = (this.#deadline?.at ?? 0) + (this.#isArriving ? this.#timeoutMs : 0)
    return Math.ceil(Date.now() + at - performance.now())
  }

  get maxMs(): number {
    return this.#context.maxMs ?? Infinity
  }

  get bodyComplete(): boolean {
    return this.#context.bodyComplete?.() ?? true
  }

  /**
   * Runs `expire` when `timeoutMs` passed since the last received byte of the request. What arrived is only looked at
   * then, so the time is at least timeoutMs and at most twice that; UPLOAD_TOTAL_MS bounds it in all.
   */
  startDeadline(timeoutMs: number, expire: () => void): void {
    this.#timeoutMs = timeoutMs
    this.#seen = this.#arrived
    const passed = (): void => {
      own.at = this.#isArriving ? performance.now() + timeoutMs : 0
      this.#seen = this.#arrived
      if (own.at > 0) return
      this.stopDeadline()
      expire()
    }
    const own = (this.#deadline = { at: performance.now() + timeoutMs, passed })
    watchDeadline(own)
  }

  /** When it is answered, or too late. */
  stopDeadline(): void {
    this.answered = true
    if (this.#deadline) forgetDeadline(this.#deadline)
  }

  /** Closes the bindings, then aborts the signal: whoever wakes by it finds them closed, or may undo what it stored. */
  end(): void {
    if (this.bodyComplete) this.closed = true
    else setTimeout(() => (this.closed = true), UNDO_MS).unref()
    this.#controller ??= new AbortController()
    this.#controller.abort(new DeadlinePassed('The deadline of the invocation passed.'))
  }
}
