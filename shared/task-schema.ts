/** The shape of a task's document, for a store that can check what it is given: nothing else is ever written to it. */
import { z } from '@hono/zod-openapi'
import { type ProblemCode, PROBLEMS } from './errors.ts'
import { STATUSES, type Task, TASK_ID } from './task.ts'
import { BLOB_KEY, type BlobKey, FITS, OUTPUT_FORMATS, POSITIONS, VARIANT_NAME } from './variant.ts'

const count = z.int().min(0)
const pixels = z.int().min(1)
/** As Date.toISOString writes it, which sorts by time. */
const time = z.string().regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const taskId = z.string().regex(TASK_ID)
const blobKey = z.string().regex(BLOB_KEY) as unknown as z.ZodType<BlobKey>
export const taskError = z.object({
  code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
  message: z.string(),
})

export const storedFile = z.object({ key: blobKey, bytes: count, sha256 })

export const variant = storedFile.extend({
  name: z.string().regex(VARIANT_NAME),
  width: pixels,
  height: pixels,
  mediaType: z.string(),
  derived: z.object({ webp: z.exactOptional(storedFile), avif: z.exactOptional(storedFile) }),
})

const variantSpec = z.object({
  name: z.string().regex(VARIANT_NAME),
  width: pixels.nullable(),
  height: pixels.nullable(),
  fit: z.enum(FITS),
  position: z.enum(POSITIONS),
  format: z.enum(OUTPUT_FORMATS),
  quality: pixels.nullable(),
})

export const source = z.object({
  kind: z.enum(['upload', 'url', 'task']),
  filename: z.string().nullable(),
  url: z.string().nullable(),
  key: blobKey.nullable(),
  mediaType: z.string().nullable(),
  bytes: count.nullable(),
  width: pixels.nullable(),
  height: pixels.nullable(),
  frames: count.nullable(),
  sha256: sha256.nullable(),
})

export const options = z.object({
  variants: z.array(variantSpec),
  format: z.enum(OUTPUT_FORMATS),
  background: z.string(),
  original: z.enum(['keep', 'discard']),
  access: z.enum(['signed', 'public']),
})

export const callback = z.object({
  url: z.string(),
  status: z.enum(['pending', 'delivered', 'failed']),
  attempts: count,
  lastStatus: z.int().nullable(),
})

export const taskDocument = z.object({
  id: taskId,
  schemaVersion: z.literal(1),
  status: z.enum(STATUSES),
  createdAt: time,
  updatedAt: time,
  completedAt: time.nullable(),
  expiresAt: time.nullable(),
  attempts: count,
  progress: z.number().min(0).max(1),
  source,
  options,
  metadata: z.record(z.string(), z.string()),
  placeholder: z.string().nullable(),
  color: z.string().nullable(),
  variants: z.array(variant),
  warnings: z.array(z.string()),
  error: taskError.nullable(),
  callback: callback.nullable(),
  retryOf: z.string().nullable(),
  fingerprint: z.string().nullable(),
  traceparent: z.string().nullable(),
  deliveries: count,
  uncounted: count,
  lastError: taskError.nullable(),
  nextCheckAt: z.number().nullable(),
}) satisfies z.ZodType<Task>

export interface JsonSchema {
  type?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  [keyword: string]: unknown
}

/** As JSON Schema, draft 4, which is what databases know. */
export function taskJsonSchema(): JsonSchema {
  return z.toJSONSchema(taskDocument, { target: 'draft-4' }) as JsonSchema
}
