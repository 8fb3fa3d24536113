/** A queue message becomes a binary-mode CloudEvents POST; the Response's status is the verdict on the message. */
import type { Consumer, Delivery, QueueDriver } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import { type Verdict, verdictOf } from '#shared/verdict.ts'
import type { Core } from '../core.ts'
import type { LoadedFunction } from '../loader.ts'
import { childTraceparent } from '../trace.ts'

/** CloudEvents 1.0, HTTP binding 3.1 (binary content mode). `attempt` and `traceparent` are extension attributes. */
export function eventRequest(message: Message, attempt: number, traceparent: string): Request {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': message.id,
    'ce-type': message.type,
    'ce-source': '/revela',
    'ce-subject': message.subject,
    'ce-time': message.time,
    'ce-attempt': String(attempt),
    'ce-traceparent': traceparent,
    traceparent,
    'content-type': 'application/json',
  }
  return new Request('http://queue.invalid/', { method: 'POST', headers, body: JSON.stringify(message.data ?? null) })
}

export type RequestOf = typeof eventRequest

type Reports = Pick<Core, 'invoke' | 'logger' | 'metrics'>

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
  const { queue, id, subject: task, traceparent: parent } = message
  const traceparent = childTraceparent(parent)
  const request = requestOf(message, attempt, traceparent)
  const context = { caller: { kind: 'open' as const }, attempt, traceparent, parent, taskId: task, maxMs }
  const response = await invoke(fn, request, context)
  const verdict = verdictOf(response)
  await response.body?.cancel()
  metrics.verdicts.inc({ queue, verdict: verdict.kind })
  const line = { function: fn.name, queue, message: id, task, attempt }
  if (verdict.kind === 'dead') logger.error({ ...line, reason: verdict.reason }, 'message is dead')
  if (verdict.kind === 'retry' && verdict.fault) {
    logger.error({ ...line, reason: verdict.reason }, 'runtime error: no queue function answers so')
  }
  return verdict
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
  return [bindings.queue.consume(queue, { concurrency, maxAttempts, backoff }, handle)]
}

/** One consumer for each queue function. */
export function consumeQueues(options: QueueOptions): Consumer[] {
  return options.functions.flatMap((fn) => consume(fn, options))
}
