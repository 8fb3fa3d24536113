/** A queue message becomes a binary-mode CloudEvents POST; the Response's status is the verdict on the message. */
import { attributeHeaders } from '#shared/attribute.ts'
import type { Consumer, DeadLetter, Delivery, QueueDriver } from '#shared/consumer.ts'
import { decide } from '#shared/decision.ts'
import type { Message } from '#shared/message.ts'
import { type Verdict, verdictOf } from '#shared/verdict.ts'
import type { Core } from '../core.ts'
import type { LoadedFunction } from '../loader.ts'
import { childTraceparent } from '../trace.ts'

/** CloudEvents 1.0, HTTP binding 3.1 (binary content mode). `attempt` and `traceparent` are extension attributes. */
export function eventRequest(message: Message, attempt: number, traceparent: string): Request {
  const { id, type, subject, time } = message
  const own = { specversion: '1.0', id, type, source: '/revela', subject, time, attempt: String(attempt), traceparent }
  const headers = { ...attributeHeaders(own), traceparent, 'content-type': 'application/json' }
  return new Request('http://queue.invalid/', { method: 'POST', headers, body: JSON.stringify(message.data ?? null) })
}

export type RequestOf = typeof eventRequest

type Reports = Pick<Core, 'invoke' | 'logger' | 'metrics'>

const lineOf = ({ name }: LoadedFunction, { queue, id, subject }: Message, attempt: number) =>
  ({ function: name, queue, message: id, task: subject, attempt }) as const

/**
 * Delivers one message to its function and judges the answer; what an operator must see is logged. `requestOf`: where
 * the message came as an event that has more to it.
 */
export async function deliver(
  fn: LoadedFunction,
  { message, attempt }: Delivery,
  { invoke, logger, metrics }: Reports,
  maxMs?: number,
  requestOf: RequestOf = eventRequest,
): Promise<Verdict> {
  const { queue, subject: taskId, traceparent: parent } = message
  const traceparent = childTraceparent(parent)
  const request = requestOf(message, attempt, traceparent)
  const context = { caller: { kind: 'open' as const }, attempt, traceparent, parent, taskId, maxMs }
  const response = await invoke(fn, request, context)
  const verdict = verdictOf(response)
  await response.body?.cancel().catch(() => undefined)
  const { trigger } = fn.config
  // What dies of it is counted when it is dead, see `reportDead`.
  const isLast = trigger.type === 'queue' && decide(verdict, { message, attempt }, trigger).kind === 'dead'
  if (!isLast) metrics.verdict(queue, verdict.kind)
  if (verdict.kind === 'retry' && verdict.fault) {
    const line = { ...lineOf(fn, message, attempt), reason: verdict.reason }
    logger.error(line, 'runtime error: no queue function answers so')
  }
  return verdict
}

/** Once for each dead letter, whichever way it died: the line that an operator who finds it will look for. */
export function reportDead(fn: LoadedFunction, letter: DeadLetter, { logger, metrics }: Omit<Reports, 'invoke'>): void {
  const { message, attempts, reason } = letter
  metrics.verdict(message.queue, 'dead')
  logger.error({ ...lineOf(fn, message, attempts), reason }, 'message is dead')
}

export interface QueueOptions extends Reports {
  functions: readonly LoadedFunction[]
  bindings: { queue: QueueDriver }
}

function consume(fn: LoadedFunction, { bindings, ...reports }: QueueOptions): Consumer[] {
  const { trigger } = fn.config
  if (trigger.type !== 'queue') return []
  const { queue, concurrency, maxAttempts, backoff } = trigger
  const handle = (delivery: Delivery): Promise<Verdict> => deliver(fn, delivery, reports)
  const onDead = (letter: DeadLetter): void => reportDead(fn, letter, reports)
  return [bindings.queue.consume(queue, { concurrency, maxAttempts, backoff, onDead }, handle)]
}

/** One consumer for each queue function. */
export function consumeQueues(options: QueueOptions): Consumer[] {
  return options.functions.flatMap((fn) => consume(fn, options))
}
