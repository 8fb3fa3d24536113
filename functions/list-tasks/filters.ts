/** The filters of a page, and the parameters that stand for them. */
import type { TaskQuery } from '#shared/bindings.ts'
import type { ProblemCode } from '#shared/errors.ts'
import { METADATA_PAIRS_MAX } from '#shared/limits.ts'
import { type Faults, gatherFaults, shown } from '#shared/options/faults.ts'
import type { Status } from '#shared/task.ts'

export type Filters = Pick<TaskQuery, 'status' | 'code' | 'metadata'>

const METADATA = 'metadata.'
/** Characters of a name that is pointed at. */
const NAME_SHOWN_MAX = 64
const KNOWN: ReadonlySet<string> = new Set(['status', 'code', 'limit', 'cursor'])

function check(name: string, values: readonly string[], faults: Faults): void {
  if (KNOWN.has(name)) return
  const report = faults.at(name.slice(0, NAME_SHOWN_MAX))
  if (!name.startsWith(METADATA) || name === METADATA) {
    report([], `Expected ${[...KNOWN].join(', ')} or metadata.KEY, got ${shown(name)}`)
  } else if (values.length !== 1) report([], `Expected one value, got ${shown(values)}`)
}

/** Throws Problem `invalid-request` that names every parameter that is not known, or is given twice. */
export function readFilters(
  named: { status?: Status | undefined; code?: ProblemCode | undefined },
  all: Record<string, string[]>,
): Filters {
  const faults = gatherFaults('text')
  for (const [name, values] of Object.entries(all)) check(name, values, faults)
  const pairs = Object.entries(all)
    .filter(([name]) => name.startsWith(METADATA))
    .map(([name, values]): [string, string] => [name.slice(METADATA.length), values[0]!])
  // No task has more, so that none would match.
  if (pairs.length > METADATA_PAIRS_MAX)
    faults.add(['metadata'], `Expected at most ${METADATA_PAIRS_MAX} pairs, got ${pairs.length}`)
  faults.settle()
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
