/** Tasks for a function's own tests, brought to each state by the store's own commands. */
import { readdirSync } from 'node:fs'
import type { Bindings, SettleOptions } from '#shared/bindings.ts'
import type { DerivedFormat } from '#shared/message.ts'
import { taskCreated } from '#shared/message.ts'
import { newTaskId, type Task, type TaskError } from '#shared/task.ts'
import {
  type EncodedFormat,
  MEDIA_TYPE,
  originalKey,
  type StoredFile,
  type Variant,
  type VariantSpec,
  variantKey,
} from '#shared/variant.ts'

type Stores = Pick<Bindings, 'tasks' | 'blobs'>

export function variantSpec(name = '800x800', overrides: Partial<VariantSpec> = {}): VariantSpec {
  return {
    name,
    width: 800,
    height: 800,
    fit: 'inside',
    position: 'centre',
    format: 'jpeg',
    quality: null,
    ...overrides,
  }
}

export function testTask(overrides: Partial<Task> = {}): Task {
  const now = new Date().toISOString()
  return {
    id: newTaskId(),
    schemaVersion: 1,
    status: 'pending',
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    expiresAt: null,
    attempts: 0,
    progress: 0,
    source: {
      kind: 'upload',
      filename: 'cat.jpg',
      url: null,
      key: null,
      mediaType: null,
      bytes: null,
      width: null,
      height: null,
      frames: null,
      sha256: null,
    },
    options: {
      variants: [variantSpec()],
      format: 'jpeg',
      background: '#ffffff',
      original: 'keep',
      access: 'signed',
    },
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
    nextCheckAt: null,
    ...overrides,
  }
}

export const ORIGINAL_BYTES = Buffer.from('the original, of which nobody looks at a pixel here')

/** A pending task with its original in the store. */
export async function pendingTask(env: Stores, overrides: Partial<Task> = {}): Promise<Task> {
  const task = testTask(overrides)
  const { key, bytes, sha256 } = await env.blobs.put(originalKey(task.id, 'jpeg'), ORIGINAL_BYTES)
  const source = {
    mediaType: 'image/jpeg',
    width: 1200,
    height: 900,
    frames: 1,
    ...overrides.source,
    key,
    bytes,
    sha256,
  }
  const stored = { ...task, source: { ...task.source, ...source } }
  await env.tasks.create(stored, taskCreated(task.id))
  return stored
}

/** Text that stands for the bytes of a variant. */
export function variantBytes(name: string, format: string, length = 1_000): Buffer {
  return Buffer.from(`${name} as ${format} `.repeat(Math.ceil(length / 8)).slice(0, length))
}

/** Claims the task, stores its variants and settles it. */
export async function complete(env: Stores, id: string, then: SettleOptions = {}, length = 1_000): Promise<Task> {
  const claim = await env.tasks.claim(id, { attempt: 1, nextCheckAt: Date.now() + 60_000 })
  const { task, fence } = claim!
  const variants: Variant[] = []
  for (const { name, format } of task.options.variants) {
    const encoded: EncodedFormat = format === 'auto' ? 'jpeg' : format
    const { created: _, ...file } = await env.blobs.put(
      variantKey(id, name, encoded),
      variantBytes(name, encoded, length),
    )
    variants.push({ ...file, name, width: 800, height: 600, mediaType: MEDIA_TYPE[encoded], derived: {} })
  }
  const { source } = task
  const settlement = { status: 'completed' as const, variants, source, placeholder: null, color: null, warnings: [] }
  if (!(await env.tasks.settle(id, fence, settlement, then))) throw new Error('the task was not settled')
  return (await env.tasks.get(id))!
}

export async function fail(env: Pick<Bindings, 'tasks'>, id: string, error: TaskError, then: SettleOptions = {}) {
  const claim = await env.tasks.claim(id, { attempt: 1, nextCheckAt: Date.now() + 60_000 })
  await env.tasks.settle(id, claim!.fence, { status: 'failed', error }, then)
  return (await env.tasks.get(id))!
}

export async function completedTask(env: Stores, overrides: Partial<Task> = {}, then: SettleOptions = {}) {
  return await complete(env, (await pendingTask(env, overrides)).id, then)
}

/** Stores and records another encoding, as process-image does. */
export async function derive(env: Stores, id: string, name: string, format: DerivedFormat): Promise<StoredFile> {
  const { created: _, ...file } = await env.blobs.put(variantKey(id, name, format), variantBytes(name, format))
  await env.tasks.recordDerived(id, name, format, file)
  return file
}

/** Descriptors that this process has open. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}
