/** What the machine has left for the process: disk, and the memory of its control group with all its containers. */
import { existsSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Gauge, type Registry } from 'prom-client'

/** What is not there yet will lie on its parent's disk. */
function existing(path: string): string {
  const full = resolve(path)
  return existsSync(full) || dirname(full) === full ? full : existing(dirname(full))
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export interface MemoryUse {
  bytes: number
  limit: number
}

/** Where cgroup v2 and v1 say it. */
const CGROUPS = [
  { use: 'memory.current', limit: 'memory.max', cache: 'inactive_file' },
  { use: 'memory/memory.usage_in_bytes', limit: 'memory/memory.limit_in_bytes', cache: 'total_inactive_file' },
]

/**
 * Without the page cache, which the kernel gives back first: what is left is what the limit kills for. Null where there is
 * no limit, so also where the group is the whole machine.
 */
export function memoryUse(root = '/sys/fs/cgroup'): MemoryUse | null {
  for (const { use, limit, cache } of CGROUPS) {
    const [bytes, max] = [use, limit].map((name) => Number.parseInt(read(`${root}/${name}`), 10))
    if (bytes === undefined || max === undefined || Number.isNaN(bytes) || !Number.isSafeInteger(max)) continue
    const stat = read(`${root}/${use.replace(/[^/]+$/, 'memory.stat')}`)
    const cached = new RegExp(`^${cache} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0
    return { bytes: Math.max(0, bytes - Number(cached)), limit: max }
  }
  return null
}

/** `paths`: by the value of the label `path`. */
export function collectSurroundings(registry: Registry, paths: Record<string, string>): void {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const free = gauge('disk_free_bytes', 'Free on the disk of this path, for this user.', 'path')
  const size = gauge('disk_size_bytes', 'Size of the disk of this path.', 'path')
  const used = gauge('cgroup_memory_bytes', 'Memory of this process and its containers, without the page cache.')
  const limit = gauge('cgroup_memory_limit_bytes', 'Where the kernel would kill.')
  const askDisk = async (path: string): Promise<void> => {
    const stat = await statfs(existing(paths[path]!)).catch(() => null)
    if (!stat) return
    free.set({ path }, stat.bavail * stat.bsize)
    size.set({ path }, stat.blocks * stat.bsize)
  }
  const readMemory = (): void => {
    const memory = memoryUse()
    for (const metric of [used, limit]) metric.remove()
    if (!memory) return
    used.set(memory.bytes)
    limit.set(memory.limit)
  }
  let reading = Promise.resolve<unknown>(undefined)
  Object.assign(free, { collect: () => (reading = Promise.all(Object.keys(paths).map(askDisk))) })
  Object.assign(size, { collect: () => reading })
  Object.assign(used, { collect: readMemory })
}
