/** The filters of a page, and the parameters that stand for them. */
import type { TaskQuery } from '#shared/bindings.ts'
import { type FieldError, Problem, type ProblemCode } from '#shared/errors.ts'
import type { Status } from '#shared/task.ts'

export type Filters = Pick<TaskQuery, 'status' | 'code' | 'metadata'>

const METADATA = 'metadata.'
const KNOWN: ReadonlySet<string> = new Set(['status', 'code', 'limit', 'cursor'])

function fault(name: string, values: readonly string[]): FieldError | null {
  if (KNOWN.has(name)) return null
  if (!name.startsWith(METADATA) || name === METADATA) {
    const detail = `Expected ${[...KNOWN].join(', ')} or metadata.KEY, got ${JSON.stringify(name.slice(0, 64))}.`
    return { pointer: `/${name.slice(0, 64)}`, detail }
  }
  return values.length === 1 ? null : { pointer: `/${name}`, detail: 'Expected one value, got several.' }
}

/** Throws Problem `invalid-request` that names every parameter that is not known, or is given twice. */
export function readFilters(
  named: { status?: Status | undefined; code?: ProblemCode | undefined },
  all: Record<string, string[]>,
): Filters {
  const errors = Object.entries(all).flatMap(([name, values]) => fault(name, values) ?? [])
  if (errors.length > 0) {
    throw new Problem('invalid-request', errors.map(({ detail }) => detail).join(' '), { errors })
  }
  const pairs = Object.entries(all)
    .filter(([name]) => name.startsWith(METADATA))
    .map(([name, values]): [string, string] => [name.slice(METADATA.length), values[0]!])
  return {
    ...(named.status ? { status: named.status } : {}),
    ...(named.code ? { code: named.code } : {}),
    ...(pairs.length > 0 ? { metadata: Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1))) } : {}),
  }
}

/** The query of another page of the same filters. */
export function pageQuery({ status, code, metadata = {} }: Filters, limit: number | undefined, cursor: string): string {
  const query = new URLSearchParams()
  if (status) query.set('status', status)
  if (code) query.set('code', code)
  for (const [key, value] of Object.entries(metadata)) query.set(METADATA + key, value)
  if (limit !== undefined) query.set('limit', String(limit))
  query.set('cursor', cursor)
  return query.toString()
}
