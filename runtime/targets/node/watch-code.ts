/** Watches the code in `npm run dev`. */
import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join, relative, sep } from 'node:path'
import type { LoadedFunction } from '../../loader.ts'

// One save of an editor is several events.
const RELOAD_DELAY_MS = 50
const SHARED = join(import.meta.dirname, '../../../shared')

function isCode(file: string): boolean {
  return file.endsWith('.ts') && !file.endsWith('.test.ts')
}

/**
 * Tells of each file below the folder that changes. One watch a folder: on Linux Node's recursive watch holds on to the
 * files that it found, and misses every save after the first of an editor that renames a new file over the old one.
 */
function watchFiles(root: string, onChange: (file: string) => void): () => void {
  const watchers = new Map<string, FSWatcher>()
  const forget = (folder: string): void => {
    for (const [path, watcher] of watchers) {
      if (path !== folder && !path.startsWith(folder + sep)) continue
      watcher.close()
      watchers.delete(path)
    }
  }
  const add = (folder: string, isNew = false): void => {
    const watcher = watch(folder, (event, name) => {
      if (name === null) return
      const path = join(folder, name)
      onChange(relative(root, path))
      // It came, went or took another's place: what was watched there may be another folder now.
      if (event !== 'rename') return
      forget(path)
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) add(path, true)
    })
    watcher.on('error', () => forget(folder))
    watchers.set(folder, watcher)
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) add(path, isNew)
      else if (isNew) onChange(relative(root, path))
    }
  }
  add(root)
  return () => forget(root)
}

export interface WatchOptions {
  functions: readonly LoadedFunction[]
  folder: string
  /** The function's code changed. */
  onCode: (fn: LoadedFunction) => void
  /** What is read at the start alone changed: a config, or all of a function that is not among the running ones. */
  onConfig: (name: string) => void
  /** Default: the project's own. */
  sharedFolder?: string
}

/** A change in shared/ is one of every function's code. Returns what ends the watching. */
export function watchCode({ functions, folder, onCode, onConfig, sharedFolder = SHARED }: WatchOptions): () => void {
  const timers = new Map<string, NodeJS.Timeout>()
  const soon = (key: string, act: () => void): void => {
    clearTimeout(timers.get(key))
    timers.set(key, setTimeout(act, RELOAD_DELAY_MS))
  }
  const reloadSoon = (fn: LoadedFunction): void => soon(fn.name, () => onCode(fn))
  const stopOwn = watchFiles(folder, (file) => {
    const [name, ...rest] = file.split(sep)
    if (name === undefined || rest.length === 0 || !isCode(file)) return
    const fn = functions.find((one) => one.name === name)
    if (fn) reloadSoon(fn)
    if (!fn || rest.join(sep) === 'config.ts') soon(`${name}/config.ts`, () => onConfig(name))
  })
  const stopShared = watchFiles(sharedFolder, (file) => {
    if (isCode(file)) functions.forEach(reloadSoon)
  })
  return () => {
    stopOwn()
    stopShared()
    for (const timer of timers.values()) clearTimeout(timer)
  }
}
