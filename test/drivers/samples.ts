/** Tasks, messages and times for the suites of the drivers. */
import type { KeyRequest, Settlement } from '#shared/bindings.ts'
import { type Message, taskCreated } from '#shared/message.ts'
import { newTaskId, type Source, type Task } from '#shared/task.ts'
import type { StoredFile, Variant } from '#shared/variant.ts'

const SHA256 = 'ab'.repeat(32)

export function sampleSource(id: string): Source {
  return {
    kind: 'upload',
    filename: 'cat.jpg',
    url: null,
    key: `input/${id}/original.jpg`,
    mediaType: 'image/jpeg',
    bytes: 1_000,
    width: 40,
    height: 30,
    frames: 1,
    sha256: SHA256,
  }
}

export function sampleTask(overrides: Partial<Task> = {}): Task {
  const id = overrides.id ?? newTaskId()
  const now = new Date().toISOString()
  return {
    id,
    schemaVersion: 1,
    status: 'pending',
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    expiresAt: null,
    attempts: 0,
    progress: 0,
    source: sampleSource(id),
    options: { variants: [], format: 'jpeg', background: '#ffffff', original: 'keep', access: 'signed' },
    metadata: {},
    placeholder: null,
    color: null,
    variants: [],
    warnings: [],
    error: null,
    callback: null,
    retryOf: null,
    fingerprint: null,
    traceparent: null,
    deliveries: 0,
    uncounted: 0,
    lastError: null,
    nextCheckAt: Date.now() + 60_000,
    ...overrides,
  }
}

export function sampleMessage(task: Pick<Task, 'id'>): Message {
  return taskCreated(task.id)
}

export function sampleVariant(id: string): Variant {
  return {
    name: '10x10',
    key: `output/${id}/10x10.jpg`,
    bytes: 100,
    sha256: SHA256,
    width: 10,
    height: 8,
    mediaType: 'image/jpeg',
    derived: {},
  }
}

export function sampleDerived(id: string, bytes = 50): StoredFile {
  return { key: `output/${id}/10x10.webp`, bytes, sha256: SHA256 }
}

export function completion(id: string): Settlement {
  return {
    status: 'completed',
    variants: [sampleVariant(id)],
    source: sampleSource(id),
    placeholder: 'AAAA',
    color: '#a08060',
    warnings: ['Only the first frame was used.'],
  }
}

export const CLAIM = { attempt: 1, nextCheckAt: 5_000 }

export const FAILURE: Settlement = { status: 'failed', error: { code: 'image-corrupt', message: 'It is truncated.' } }

export function keyRequest(overrides: Partial<KeyRequest> = {}): KeyRequest {
  const now = Date.now()
  return {
    key: 'order-1',
    apiKeyId: 'k1',
    taskId: newTaskId(),
    now,
    lockedUntil: now + 60_000,
    expiresAt: now + 3_600_000,
    ...overrides,
  }
}

/** Ids whose order is that of their numbers: 1, 2, 3 ... */
export function idOf(n: number): string {
  return newTaskId(1_700_000_000_000 + n)
}

export async function times<T>(n: number, run: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: n }, (_, i) => run(i)))
}
