/** The task: its document as the store holds it, and the rules of its life. Its public form is in representation.ts. */
import { randomBytes } from 'node:crypto'
import type { ProblemCode } from './errors.ts'
import type { BlobKey, OutputFormat, Variant, VariantSpec } from './variant.ts'

export const STATUSES = ['pending', 'processing', 'completed', 'failed'] as const
export type Status = (typeof STATUSES)[number]

export interface Source {
  kind: 'upload' | 'url' | 'task'
  /** As sent, for display alone; never a path. */
  filename: string | null
  url: string | null
  /** Known once the bytes were seen: at once for an upload, after the fetch for a URL. */
  key: BlobKey | null
  mediaType: string | null
  bytes: number | null
  /** Pixels, seen upright. */
  width: number | null
  height: number | null
  frames: number | null
  sha256: string | null
}

/** The options with every default filled in: what a fingerprint covers. */
export interface TaskOptions {
  variants: VariantSpec[]
  /** Of the variants that name none of their own. */
  format: OutputFormat
  /** CSS hex colour behind alpha in a JPEG, `#rrggbb`. */
  background: string
  original: 'keep' | 'discard'
  access: 'signed' | 'public'
}

export interface TaskError {
  code: ProblemCode
  /** Written for the person who sent the image. */
  message: string
}

export interface Callback {
  url: string
  status: 'pending' | 'delivered' | 'failed'
  attempts: number
  lastStatus: number | null
}

export interface Task {
  /** UUIDv7 (RFC 9562), lower case. */
  id: string
  schemaVersion: 1
  status: Status
  /** RFC 3339 with milliseconds, UTC; so are the other times but nextCheckAt. */
  createdAt: string
  updatedAt: string
  completedAt: string | null
  expiresAt: string | null
  /** 1 on the first try; grows with failures. 0 before the first. */
  attempts: number
  /** 0 to 1. */
  progress: number
  source: Source
  options: TaskOptions
  metadata: Record<string, string>
  placeholder: string | null
  color: string | null
  variants: Variant[]
  warnings: string[]
  error: TaskError | null
  callback: Callback | null
  retryOf: string | null
  /** Of file and options; null where no Idempotency-Key was sent. */
  fingerprint: string | null
  traceparent: string | null
  /** Starts so far, counted before the work; the newest one's number is the fence of its writes. */
  deliveries: number
  /** Of these, how many ended because a store was away, which says nothing of the picture. */
  uncounted: number
  /** Why the last start failed, null while none has said so; becomes `error` when no try is left. */
  lastError: TaskError | null
  /** Unix ms at which the sweeper looks at the task; null once nothing is left to do. */
  nextCheckAt: number | null
}

export function isTerminal(task: Pick<Task, 'status'>): boolean {
  return task.status === 'completed' || task.status === 'failed'
}

/** `original=discard`, and the original is still there, or was not seen to be gone. */
export function owesDiscard({ status, options, source }: Pick<Task, 'status' | 'options' | 'source'>): boolean {
  return status === 'completed' && options.original === 'discard' && source.key !== null
}

/** Terminal with nothing left to come but derived encodings: what the cache may hold. */
export function isSettled(task: Pick<Task, 'status' | 'callback'>): boolean {
  return isTerminal(task) && task.callback?.status !== 'pending'
}

export const TASK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** A UUIDv7 (RFC 9562 §5.7): 48 bits of Unix ms, then random bits; ids sort by the time of their making. */
export function newTaskId(now = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Unix ms at which a UUIDv7 was made. */
export function timeOfTaskId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}
