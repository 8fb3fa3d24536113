/** V8's collector where most bytes are pictures: they lie outside its heap, and it cannot tell how soon they are garbage. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * By how much the old generation may grow between two full collections. Left to itself V8 allows a process that
 * allocates little 30 %, and counts what lies outside its heap as growth: that is one picture, and so every second one
 * cost a full collection, 15 ms of CPU, which freed nothing. V8 reads the flag anew at each collection.
 */
const GROWTH_PERCENT = 200

export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}

type Collect = (options: { type: 'minor' }) => void

/** What collects the young generation, in which bytes that were just received or made are. Takes about 0.6 ms. */
export function youngCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as Collect
  return () => gc({ type: 'minor' })
}
