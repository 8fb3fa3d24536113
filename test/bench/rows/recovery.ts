/** How long a function's next request takes after the container that served it has failed. */
import { containedFunction } from '../../runtime/function.ts'
import { isAlive } from '../../runtime/child.ts'
import { until } from '../../runtime/until.ts'
import { type Measured, show, spreadOf } from '../measured.ts'

const ROUNDS = 9
const MAX_MS = 500
const DEADLINE_MS = 300
/** Of the requests that are to be answered. */
const TIMEOUT_MS = 20_000

const FAILURES = [
  { what: 'never returned', path: '/probe/hang', status: 504 },
  { what: 'spun the CPU', path: '/probe/spin', status: 504 },
  { what: 'threw', path: '/probe/throw', status: 500 },
  { what: 'exited', path: '/probe/exit', status: 502 },
]

export async function recovery(): Promise<Measured[]> {
  await using probe = await containedFunction('probe', { timeoutMs: TIMEOUT_MS })
  const { config } = probe.fn

  async function recoverMs(path: string, status: number): Promise<number> {
    const served = Number(await (await probe.call('/probe/pid')).text())
    config.timeoutMs = status === 504 ? DEADLINE_MS : TIMEOUT_MS
    const failed = probe.call(path)
    config.timeoutMs = TIMEOUT_MS
    const { status: seen } = await failed
    if (seen !== status) throw new Error(`${path} answered ${seen} instead of ${status}`)
    const startedAt = performance.now()
    const next = await probe.call('/probe/ok')
    if ((await next.text()) !== 'ok') throw new Error(`the request after ${path} answered ${next.status}`)
    const wallMs = performance.now() - startedAt
    // The end of one that failed is not in the next round's figure.
    if (status !== 500) await until('the failed container is gone', () => !isAlive(served))
    return wallMs
  }

  const rows: Measured[] = []
  for (const { what, path, status } of FAILURES) {
    const walls: number[] = []
    for (let round = 0; round < ROUNDS; round++) walls.push(await recoverMs(path, status))
    const spread = spreadOf(walls)
    rows.push({
      name: `request after a container ${what}`,
      limit: `≤ ${MAX_MS} ms`,
      measured: show(spread, ' ms'),
      met: spread.max <= MAX_MS,
      byClock: true,
    })
  }
  return rows
}
