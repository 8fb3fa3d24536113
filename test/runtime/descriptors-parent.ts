/**
 * A runtime that has no descriptor left for a container: prints the status of a call then, and of one when there are some
 * again. Run where few may be open.
 */
import { closeSync, openSync } from 'node:fs'
import { START_RETRY_MS } from '#shared/not-started.ts'
import { containedFunction } from './function.ts'

function openAll(): number[] {
  const held: number[] = []
  try {
    for (;;) held.push(openSync('/dev/null', 'r'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
    return held
  }
}

const probe = await containedFunction('probe', { timeoutMs: 60_000 })
// Whatever is opened once, by the first of them, stays.
await (await probe.call('/probe/kill')).text()
const held = openAll()
const without = await probe.call('/probe/ok')
held.forEach((fd) => closeSync(fd))
const later = performance.now() + START_RETRY_MS
performance.now = () => later
const after = await probe.call('/probe/ok')
process.stdout.write(`${without.status} ${after.status}\n`)
process.exit()
