/** Watches the code in `npm run dev`. */
import { watch } from 'node:fs'
import { join, sep } from 'node:path'
import type { LoadedFunction } from '../../loader.ts'

// One save of an editor is several events.
const RELOAD_DELAY_MS = 50
const SHARED = join(import.meta.dirname, '../../../shared')

function isCode(file: string | null): file is string {
  return file !== null && file.endsWith('.ts') && !file.endsWith('.test.ts')
}

/** A change in a function's folder reloads it, one in shared/ all. Returns what ends the watching. */
export function watchCode(
  functions: readonly LoadedFunction[],
  folder: string,
  reload: (fn: LoadedFunction) => void,
  sharedFolder = SHARED,
): () => void {
  const timers = new Map<LoadedFunction, NodeJS.Timeout>()
  const soon = (fn: LoadedFunction): void => {
    clearTimeout(timers.get(fn))
    timers.set(fn, setTimeout(reload, RELOAD_DELAY_MS, fn))
  }
  const own = watch(folder, { recursive: true }, (_event, file) => {
    if (!isCode(file)) return
    const fn = functions.find(({ name }) => name === file.split(sep)[0])
    if (fn) soon(fn)
  })
  const shared = watch(sharedFolder, { recursive: true }, (_event, file) => {
    if (isCode(file)) functions.forEach(soon)
  })
  return () => {
    own.close()
    shared.close()
    for (const timer of timers.values()) clearTimeout(timer)
  }
}
