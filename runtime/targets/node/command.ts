/** How a container's process is started: its wrappers, its clean environment, and how many of them fit. */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { extname, join } from 'node:path'
import { CONTAINER_MEMORY_BYTES, RUNTIME_MEMORY_BYTES } from './limits.ts'

/** Freed pixels go back to the system within a second: a third less memory at the peak of many pictures. */
const MALLOC_CONF = 'narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0'

/** Of V8's young generation, each half. What a container makes are pixels, outside the heap: 12 MB less for the same CPU. */
const YOUNG_MIB = 1

/** Beside this file, also where it was built. */
const CHILD = join(import.meta.dirname, `container-entry${extname(import.meta.filename)}`)
const JEMALLOC = [
  '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2',
  '/usr/lib/aarch64-linux-gnu/libjemalloc.so.2',
  '/usr/lib/libjemalloc.so.2',
  '/usr/lib64/libjemalloc.so.2',
]

export interface Command {
  file: string
  args: string[]
  env: Record<string, string>
  /** The kernel ends it with its parent; where it cannot, the child watches a pipe instead. */
  diesWithParent: boolean
}

/** util-linux's setpriv has --pdeathsig, busybox's of the same name has not. */
function setpriv(): string | null {
  const path = '/usr/bin/setpriv'
  return process.platform === 'linux' && existsSync(path) && !realpathSync(path).includes('busybox') ? path : null
}

/** Of our environment a container gets nothing: no key, no address, no path. `wrapper` is setpriv, where there is one. */
export function containerCommand(wrapper: string | null = setpriv()): Command {
  const jemalloc = process.platform === 'linux' ? JEMALLOC.find((path) => existsSync(path)) : undefined
  const env: Record<string, string> = jemalloc ? { LD_PRELOAD: jemalloc, MALLOC_CONF } : { MALLOC_ARENA_MAX: '2' }
  const flags = ['--disable-warning=ExperimentalWarning', `--max-semi-space-size=${YOUNG_MIB}`]
  const node = [process.execPath, ...flags, CHILD]
  const limits =
    wrapper && existsSync('/usr/bin/prlimit') ? ['/usr/bin/prlimit', '--core=0', '--nofile=1024', '--'] : []
  const line = [...(wrapper ? [wrapper, '--pdeathsig', 'KILL', '--'] : []), ...limits, ...node]
  return { file: line[0]!, args: line.slice(1), env, diesWithParent: wrapper !== null }
}

function readNumber(path: string): number | null {
  try {
    const value = Number(readFileSync(path, 'utf8').trim())
    return Number.isSafeInteger(value) ? value : null
  } catch {
    return null
  }
}

/** The memory limit of our cgroup (v2, then v1) in bytes; null when there is none. */
export function memoryLimitBytes(read: (path: string) => number | null = readNumber): number | null {
  return read('/sys/fs/cgroup/memory.max') ?? read('/sys/fs/cgroup/memory/memory.limit_in_bytes')
}

/** min(asked, cores allowed, (memory limit − what the runtime takes) / what a container takes), at least 1. */
export function effectiveConcurrency(
  asked: number,
  cores = availableParallelism(),
  memory = memoryLimitBytes(),
): number {
  const fit = memory === null ? Infinity : Math.floor((memory - RUNTIME_MEMORY_BYTES) / CONTAINER_MEMORY_BYTES)
  return Math.max(1, Math.min(asked, cores, fit))
}
