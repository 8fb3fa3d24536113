/**
 * `npm run bench`: what the runtime costs, as ratios to the same work without it. Contestants take turns within one run.
 * `npm run bench -- request render` measures these rows alone. Linux only: the figures come from /proc.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { columns } from '../../runtime/cli/table.ts'
import type { Measured } from './measured.ts'
import { accept } from './rows/accept.ts'
import { latency } from './rows/latency.ts'
import { memory } from './rows/memory.ts'
import { render } from './rows/render.ts'
import { request } from './rows/request.ts'
import { start } from './rows/start.ts'

const ROWS: Record<string, (folder: string) => Promise<Measured[]>> = {
  request,
  render,
  latency,
  start,
  accept,
  memory,
}

/** On the disk where tasks are kept: a temp folder may lie in memory, where syncing costs nothing. */
const STORAGE = fileURLToPath(new URL('../../storage', import.meta.url))

function head(): string {
  const load = loadavg().map((each) => each.toFixed(2))
  const memoryGb = (totalmem() / 2 ** 30).toFixed(0)
  return [
    `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores`,
    `(${cpus()[0]?.model.trim() ?? 'unknown'}), ${memoryGb} GB, load average ${load.join(' ')}`,
  ].join(' ')
}

function table(rows: readonly Measured[]): string {
  const verdict = ({ met }: Measured): string => (met === null ? '' : met ? 'met' : 'NOT MET')
  const cells = rows.map((row) => [row.name, row.limit, row.measured, verdict(row), row.cpu ?? '', row.wall ?? ''])
  return columns([['row', 'limit', 'median (min..max)', '', 'CPU, ours : theirs', 'wall, ours : theirs'], ...cells])
}

async function main(asked: readonly string[]): Promise<void> {
  const unknown = asked.filter((name) => !Object.hasOwn(ROWS, name))
  if (unknown.length > 0)
    throw new Error(`Unknown row ${unknown.join(', ')}. The rows are ${Object.keys(ROWS).join(', ')}.`)
  if (process.platform !== 'linux') throw new Error('CPU and memory are read from /proc, which only Linux has.')
  const folder = await mkdtemp(join(STORAGE, 'bench-'))
  const measured: Measured[] = []
  console.log(head())
  try {
    for (const [name, row] of Object.entries(ROWS)) {
      if (asked.length > 0 && !asked.includes(name)) continue
      process.stderr.write(`${name} …\n`)
      const own = join(folder, name)
      await mkdir(own)
      measured.push(...(await row(own)))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
    if (measured.length > 0) console.log(`\n${table(measured)}`)
  }
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
