/** The document of a task that was just accepted. */
import type { Bindings } from './bindings.ts'
import { CHECK_MARGIN_MS } from './limits.ts'
import type { Asked } from './options/options.ts'
import type { Source, Task } from './task.ts'

interface Parts extends Asked {
  source: Source
  fingerprint: string | null
  retryOf: string | null
}

export function newTask(env: Pick<Bindings, 'invocation'>, taskId: string, parts: Parts): Task {
  const now = new Date()
  const { options, metadata, callbackUrl, source, fingerprint, retryOf } = parts
  return {
    id: taskId,
    schemaVersion: 1,
    status: 'pending',
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
    completedAt: null,
    expiresAt: null,
    attempts: 0,
    progress: 0,
    source,
    options,
    metadata,
    placeholder: null,
    color: null,
    variants: [],
    warnings: [],
    error: null,
    callback: callbackUrl === null ? null : { url: callbackUrl, status: 'pending', attempts: 0, lastStatus: null },
    retryOf,
    fingerprint,
    traceparent: env.invocation.traceparent,
    deliveries: 0,
    uncounted: 0,
    lastError: null,
    nextCheckAt: now.getTime() + CHECK_MARGIN_MS,
  }
}
