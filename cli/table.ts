/** The start-up table: what is served, where, and how it is held in check. */
import type { BrokenFunction, LoadedFunction } from '../runtime/loader.ts'

const MAX_ERROR_CHARS = 200

/** Columns padded to their widest cell, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function sourcesOf({ config: { trigger } }: LoadedFunction): string[] {
  if (trigger.type === 'http') return trigger.routes
  if (trigger.type === 'queue') return [trigger.queue]
  return [trigger.everyMs === undefined ? `${trigger.cron} (UTC)` : `every ${trigger.everyMs / 1_000} s`]
}

/** Only a container survives a function that spins or exits, and the table says so. */
function isolationOf({ config }: LoadedFunction, inContainers: boolean): string {
  if (config.isolation === 'process') return 'process'
  return inContainers ? 'process (dev)' : 'inline, not killable'
}

/** One row for each route, the function named in the first of them. */
function rowsOf(fn: LoadedFunction, inContainers: boolean): string[][] {
  const { name, config, concurrency } = fn
  const isolation = isolationOf(fn, inContainers)
  const timeout = `${config.timeoutMs / 1_000} s`
  return sourcesOf(fn).map((source, at) => {
    if (at > 0) return ['', '', source, '', '', '']
    return [name, config.trigger.type, source, isolation, timeout, String(concurrency)]
  })
}

export function startTable(
  functions: readonly LoadedFunction[],
  broken: readonly BrokenFunction[],
  inContainers = false,
): string {
  const faults = new Map(broken.map(({ name, error }) => [name, error]))
  const rows = functions.filter(({ name }) => !faults.has(name)).flatMap((fn) => rowsOf(fn, inContainers))
  const table = columns([
    ['function', 'trigger', 'route, queue or time', 'isolation', 'timeout', 'concurrency'],
    ...rows,
  ])
  const lines = [...faults].map(
    ([name, error]) => `BROKEN  ${name}: ${error.split('\n')[0]!.slice(0, MAX_ERROR_CHARS)}`,
  )
  return [table, ...lines].join('\n')
}
