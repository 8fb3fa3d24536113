/**
 * `npm run bench`: what the runtime costs, as ratios to the same work without it. Contestants take turns within one run.
 * `npm run bench -- request render` measures these rows alone. Linux only: the figures come from /proc.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { columns } from '../../cli/table.ts'
import { shareTakenByOthers } from './busy.ts'
import type { Measured } from './measured.ts'
import { accept } from './rows/accept.ts'
import { latency } from './rows/latency.ts'
import { memory } from './rows/memory.ts'
import { recovery } from './rows/recovery.ts'
import { render } from './rows/render.ts'
import { request } from './rows/request.ts'
import { servers } from './rows/servers.ts'
import { start } from './rows/start.ts'

const ROWS: Record<string, (folder: string) => Promise<Measured[]>> = {
  request,
  render,
  latency,
  start,
  accept,
  memory,
  recovery,
  servers,
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

/** Above this share of the CPUs taken by others, what is measured by the clock says little. */
const BUSY_MAX = 0.1

interface Line extends Measured {
  /** Taken by others before the row began, 0 to 1. */
  busy: number
}

function verdict({ met, byClock, busy }: Line): string {
  if (met === null) return ''
  const word = met ? 'met' : 'NOT MET'
  return byClock && busy > BUSY_MAX ? `${word}? (machine ${Math.round(busy * 100)} % busy)` : word
}

function table(lines: readonly Line[]): string {
  const cells = lines.map((line) => [
    line.name,
    line.limit,
    line.measured,
    verdict(line),
    line.cpu ?? '',
    line.wall ?? '',
  ])
  return columns([['row', 'limit', 'median (min..max)', '', 'CPU, ours : theirs', 'wall, ours : theirs'], ...cells])
}

async function main(asked: readonly string[]): Promise<void> {
  const unknown = asked.filter((name) => !Object.hasOwn(ROWS, name))
  if (unknown.length > 0)
    throw new Error(`Unknown row ${unknown.join(', ')}. The rows are ${Object.keys(ROWS).join(', ')}.`)
  if (process.platform !== 'linux') throw new Error('CPU and memory are read from /proc, which only Linux has.')
  const folder = await mkdtemp(join(STORAGE, 'bench-'))
  const lines: Line[] = []
  console.log(head())
  try {
    for (const [name, row] of Object.entries(ROWS)) {
      if (asked.length > 0 && !asked.includes(name)) continue
      process.stderr.write(`${name} …\n`)
      const own = join(folder, name)
      await mkdir(own)
      const busy = await shareTakenByOthers()
      for (const measured of await row(own)) lines.push({ ...measured, busy })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
    if (lines.length > 0) console.log(`\n${table(lines)}`)
  }
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
