/** /healthz: the process lives. /readyz: it can take work, and which of its functions are broken. */
import type { TaskStore } from '#shared/bindings.ts'
import type { BrokenFunction, LoadedFunction } from '../runtime/loader.ts'

export interface Readiness {
  ready: boolean
  body: { status: 'ready' | 'degraded' | 'draining' | 'unavailable'; functions: number; broken: BrokenFunction[] }
}

export interface HealthOptions {
  tasks: Pick<TaskStore, 'readCursor'>
  functions: readonly LoadedFunction[]
  broken: readonly BrokenFunction[]
  isDraining: () => boolean
}

export function brokenOf(functions: readonly LoadedFunction[], broken: readonly BrokenFunction[]): BrokenFunction[] {
  const late = functions.flatMap(({ name, error }) => (error === null ? [] : [{ name, error }]))
  return [...broken, ...late]
}

/** Folders before the last name of a path: anyone may ask for health, and need not know where the files lie. */
const FOLDERS = /(?:file:\/\/)?(?:\/[\p{L}\p{M}\w@.+~%-]+)+\/(?=[\p{L}\w@.+~%-])/gu

function forEveryone({ name, error }: BrokenFunction): BrokenFunction {
  return { name, error: error.split('\n', 1)[0]!.replaceAll(FOLDERS, '') }
}

/** A broken function degrades: the others still serve, so the process keeps its traffic. */
export async function readiness({ tasks, functions, broken, isDraining }: HealthOptions): Promise<Readiness> {
  const faults = brokenOf(functions, broken)
  const count = functions.length + broken.length - faults.length
  const is = (status: Readiness['body']['status'], ready: boolean): Readiness => ({
    ready,
    body: { status, functions: count, broken: faults.map(forEveryone) },
  })
  if (isDraining()) return is('draining', false)
  const reachable = await tasks.readCursor('ready').then(
    () => true,
    () => false,
  )
  if (!reachable) return is('unavailable', false)
  return is(faults.length > 0 ? 'degraded' : 'ready', true)
}
