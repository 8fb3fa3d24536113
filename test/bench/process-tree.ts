/** What processes cost, read from /proc: Linux only. */
import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, in which the kernel tells times to programs: 100 on every architecture that Node runs on. */
const MS_PER_TICK = 10
const NS_PER_MS = 1e6

interface Stat {
  parent: number
  /** Its own time and that of the children it has waited for, in ms. */
  cpuMs: number
}

/** Null for a process that has gone. */
function statOf(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name stands in parentheses, and may hold some.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return { parent: Number(fields[1]), cpuMs: ticks * MS_PER_TICK }
  } catch {
    return null
  }
}

/** A process and all that descend from it. */
function treeOf(root: number): { pid: number; cpuMs: number }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const stats = pids.flatMap((name) => {
    const stat = statOf(Number(name))
    return stat ? [{ pid: Number(name), ...stat }] : []
  })
  const tree = stats.filter(({ pid }) => pid === root)
  for (const member of tree) tree.push(...stats.filter(({ parent }) => parent === member.pid))
  return tree
}

/** CPU of one process so far, user and system, with the children it has reaped. In steps of 10 ms. */
export function processCpuMs(pid: number): number {
  return statOf(pid)?.cpuMs ?? 0
}

/** As processCpuMs, over a process and all that descend from it: who ends in between is counted with its parent. */
export function treeCpuMs(pid: number): number {
  return treeOf(pid).reduce((sum, { cpuMs }) => sum + cpuMs, 0)
}

function threadsMs(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const ns = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ', 1)[0]))
    return ns.reduce((sum, each) => sum + each, 0) / NS_PER_MS
  } catch {
    return 0
  }
}

/** To the nanosecond, but of threads that live: for the first moments of a process, which are a few ticks long. */
export function startCpuMs(pid: number): { alone: number; tree: number } {
  const alone = threadsMs(pid)
  const others = treeOf(pid).filter((member) => member.pid !== pid)
  return { alone, tree: others.reduce((sum, member) => sum + threadsMs(member.pid), alone) }
}

/** Proportional set size: what a process shares with others is counted in parts. 0 for one that has gone. */
export function processPssBytes(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** As processPssBytes, over a process and all that descend from it: what they share is counted once. */
export function treePssBytes(pid: number): number {
  return treeOf(pid).reduce((sum, member) => sum + processPssBytes(member.pid), 0)
}
