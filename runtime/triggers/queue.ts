/** A queue message becomes a binary-mode CloudEvents POST; the Response's status is the verdict on the message. */
import type { Consumer, Delivery, QueueDriver } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import { type Verdict, verdictOf } from '#shared/verdict.ts'
import type { Invoke } from '../invoke.ts'
import type { LoadedFunction, ResolvedConfig } from '../loader.ts'
import type { RootLogger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { childTraceparent } from '../trace.ts'

export type QueueConfig = Extract<ResolvedConfig['trigger'], { type: 'queue' }>

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
  const response = await invoke(fn, request, {
    caller: { kind: 'open' },
    attempt,
    traceparent,
    taskId: message.subject,
  })
  const verdict = verdictOf(response)
  await response.body?.cancel()
  return verdict
}

export interface QueueOptions {
  driver: QueueDriver
  invoke: Invoke
  logger: RootLogger
  metrics: Metrics
}

export function consumeQueue(
  fn: LoadedFunction,
  trigger: QueueConfig,
  { driver, invoke, logger, metrics }: QueueOptions,
): Consumer {
  const { queue, maxAttempts, backoff } = trigger
  const concurrency = fn.concurrency
  return driver.consume(queue, { concurrency, maxAttempts, backoff }, async (delivery) => {
    const verdict = await deliver(fn, delivery, invoke)
    metrics.verdicts.inc({ queue, verdict: verdict.kind })
    const line = {
      function: fn.name,
      queue,
      message: delivery.message.id,
      task: delivery.message.subject,
      attempt: delivery.attempt,
    }
    if (verdict.kind === 'dead') logger.error({ ...line, reason: verdict.reason }, 'message is dead')
    else if (verdict.kind === 'retry' && verdict.fault)
      logger.error({ ...line, reason: verdict.reason }, 'runtime error: no queue function answers so')
    return verdict
  })
}
