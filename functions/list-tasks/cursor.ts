/** Where a page begins: the last id of the page before, bound to its filters. Opaque to clients, kept nowhere. */
import { createHash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { Problem } from '#shared/errors.ts'
import { TASK_ID } from '#shared/task.ts'
import type { Filters } from './filters.ts'

const CursorSchema = z.strictObject({ before: z.string().regex(TASK_ID), filters: z.string() })

/** Short: it only tells a mistake, and whoever forges one gains nothing. */
function digest({ status, code, metadata }: Filters): string {
  const canonical = JSON.stringify([status ?? null, code ?? null, Object.entries(metadata ?? {})])
  return createHash('sha256').update(canonical).digest('base64url').slice(0, 12)
}

export function writeCursor(before: string, filters: Filters): string {
  return Buffer.from(JSON.stringify({ before, filters: digest(filters) })).toString('base64url')
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return null
  }
}

function altered(): Problem {
  return new Problem('invalid-cursor', 'Expected `nextCursor` of an earlier page, got something else.')
}

/** The id before which the page begins. Throws Problem `invalid-cursor` for one that is not ours, or of other filters. */
export function readCursor(cursor: string, filters: Filters): string {
  const read = CursorSchema.safeParse(parse(cursor))
  if (!read.success) throw altered()
  if (read.data.filters !== digest(filters)) {
    throw new Problem('invalid-cursor', 'Expected the filters that the cursor was made with, got others.')
  }
  // A decoder passes over what is no base64url: only what we write out ourselves is what we gave.
  if (writeCursor(read.data.before, filters) !== cursor) throw altered()
  return read.data.before
}
