/** A queue message becomes a binary-mode CloudEvents POST; the Response's status is the verdict on the message. */
import type { Consumer, Delivery, QueueDriver } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import { type Verdict, verdictOf } from '#shared/verdict.ts'
import type { Invoke } from '../invoke.ts'
import type { LoadedFunction } from '../loader.ts'
import type { RootLogger } from '../logger.ts'
import type { Metrics } from '../console/metrics.ts'
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

/** Delivers one message to its function and judges the answer. */
export async function deliver(fn: LoadedFunction, { message, attempt }: Delivery, invoke: Invoke): Promise<Verdict> {
  const traceparent = childTraceparent(message.traceparent)
  const request = eventRequest(message, attempt, traceparent)
  const context = { caller: { kind: 'open' as const }, attempt, traceparent, taskId: message.subject }
  const response = await invoke(fn, request, context)
  const verdict = verdictOf(response)
  await response.body?.cancel()
  return verdict
}

export interface QueueOptions {
  functions: readonly LoadedFunction[]
  bindings: { queue: QueueDriver }
  invoke: Invoke
  logger: RootLogger
  metrics: Metrics
}

function consume(fn: LoadedFunction, { bindings, invoke, logger, metrics }: QueueOptions): Consumer[] {
  const { trigger } = fn.config
  if (trigger.type !== 'queue') return []
  const { queue, concurrency, maxAttempts, backoff } = trigger
  const handle = async (delivery: Delivery): Promise<Verdict> => {
    const verdict = await deliver(fn, delivery, invoke)
    metrics.verdicts.inc({ queue, verdict: verdict.kind })
    const { id: message, subject: task } = delivery.message
    const line = { function: fn.name, queue, message, task, attempt: delivery.attempt }
    if (verdict.kind === 'dead') logger.error({ ...line, reason: verdict.reason }, 'message is dead')
    if (verdict.kind === 'retry' && verdict.fault) {
      logger.error({ ...line, reason: verdict.reason }, 'runtime error: no queue function answers so')
    }
    return verdict
  }
  return [bindings.queue.consume(queue, { concurrency, maxAttempts, backoff }, handle)]
}

/** One consumer for each queue function. */
export function consumeQueues(options: QueueOptions): Consumer[] {
  return options.functions.flatMap((fn) => consume(fn, options))
}
