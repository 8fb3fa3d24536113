/** How long a file may be kept by caches. Its bytes never change, so the right to see it is all that limits. */
import type { Bindings } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import type { Task } from '#shared/task.ts'

const YEAR_SECONDS = 365 * 24 * 60 * 60
/** A JPEG in place of what was preferred is kept this long, so that no cache pins it. */
const STOPGAP_SECONDS = 60

export interface Freshness {
  settings: Pick<Bindings['settings'], 'keyed'>
  caller: Bindings['invocation']['caller']
  task: Pick<Task, 'options' | 'expiresAt'>
  /** True for the JPEG that is served while the preferred format is not there. */
  stopgap: boolean
  /** Unix ms. */
  now?: number
}

export function cacheControl({ settings, caller, task, stopgap, now = Date.now() }: Freshness): string {
  const isPublic = !settings.keyed || task.options.access === 'public'
  const linked = !isPublic && caller.kind === 'link'
  const ends = [linked ? caller.expiresAt : Infinity, task.expiresAt === null ? Infinity : Date.parse(task.expiresAt)]
  const left = Math.max(0, Math.floor((Math.min(...ends) - now) / SECOND_MS))
  const age = Math.min(left, stopgap ? STOPGAP_SECONDS : YEAR_SECONDS)
  return `${isPublic ? 'public' : 'private'}, max-age=${age}${linked || stopgap ? '' : ', immutable'}`
}
