/** The loop that ships: own lines every second, what dead processes left every half a minute, and with patience when Loki is away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ADOPT_EVERY_MS, PUSH_BACKOFF_MAX_MS, PUSH_BACKOFF_MS, PUSH_EVERY_MS } from './limits.ts'
import { shipNext, type ShipOptions } from './ship.ts'
import { spoolFiles } from './spool-files.ts'
import { abandonedFolders } from './spool-folder.ts'

export interface ShipperOptions {
  own: ShipOptions
  /** Where the folders of all processes lie. */
  root: string
  /** Told of the first failure after a success, and of the first success after a failure (null). */
  onChange: (trouble: string | null) => void
  /** Told once of each folder whose lines cannot be read; the others are shipped all the same. */
  onSkipped: (folder: string, reason: string) => void
  pauses?: { everyMs?: number; backoffMs?: number; adoptMs?: number }
}

export interface Shipper {
  /** Ships what there is for at most `ms`, then ends; what is left stays on disk. */
  stop(ms: number): Promise<void>
}

function onceEach(onSkipped: ShipperOptions['onSkipped']): (path: string, error: unknown) => void {
  const told = new Set<string>()
  return (path, error) => {
    if (!told.has(path)) onSkipped(path, (error as Error).message)
    told.add(path)
  }
}

export function startShipper({ own, root, onChange, onSkipped, pauses = {} }: ShipperOptions): Shipper {
  const { everyMs = PUSH_EVERY_MS, backoffMs = PUSH_BACKOFF_MS, adoptMs = ADOPT_EVERY_MS } = pauses
  const ended = new AbortController()
  let stopping = false
  let wake = new AbortController()
  let failures = 0
  let adoptAt = 0

  const pause = async (ms: number): Promise<void> => {
    wake = new AbortController()
    // Nobody waits for it: a process that has nothing else to do may end.
    if (!stopping) await sleep(ms, undefined, { ref: false, signal: wake.signal }).catch(() => undefined)
  }
  const failed = (reason: string, afterMs: number): number => {
    if (failures === 0 && !ended.signal.aborted) onChange(reason)
    const backoff = Math.min(PUSH_BACKOFF_MAX_MS, backoffMs * 2 ** failures++)
    // Jitter: processes that lost Loki together do not come back together.
    return Math.max(afterMs, 1, backoff * (0.5 + Math.random() / 2))
  }
  /** Milliseconds until the next try; 0 when all that was there is shipped. */
  const shipAll = async (options: ShipOptions, isOver = (): boolean => false): Promise<number> => {
    while (!isOver()) {
      const shipped = await shipNext(options, ended.signal)
      if (shipped.kind === 'retry') return failed(shipped.reason, shipped.afterMs)
      if (failures > 0) onChange(null)
      failures = 0
      if (shipped.kind === 'empty') break
    }
    return 0
  }
  const skip = onceEach(onSkipped)
  const adopt = async (): Promise<number> => {
    for (const folder of abandonedFolders(root, skip)) {
      try {
        const left = { ...own, source: folder, files: spoolFiles(folder.path), current: () => undefined }
        const waitMs = await shipAll(left, () => stopping)
        if (waitMs > 0 || stopping) return waitMs
      } catch (error) {
        skip(folder.path, error)
      } finally {
        folder.release()
      }
    }
    return 0
  }
  const round = async (): Promise<number> => {
    try {
      const waitMs = await shipAll(own)
      if (waitMs > 0 || stopping || Date.now() < adoptAt) return waitMs
      adoptAt = Date.now() + adoptMs
      return await adopt()
    } catch (error) {
      // The disk: it is as good a reason to come back later as any.
      return failed((error as Error).message, 0)
    }
  }
  const run = async (): Promise<void> => {
    for (;;) {
      const isLast = stopping
      const waitMs = await round()
      if (isLast) return
      await pause(waitMs || everyMs)
    }
  }
  const running = run()
  return {
    async stop(ms) {
      stopping = true
      wake.abort()
      const timer = setTimeout(() => ended.abort(), ms)
      await running.finally(() => clearTimeout(timer))
    },
  }
}
