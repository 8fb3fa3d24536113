/** A run of chaos: clients upload, the runtime is killed again and again, and afterwards everything is counted. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { picture } from '../pictures.ts'
import { Clients } from './clients.ts'
import { CRASH_POINTS, type CrashPoint } from './crash.ts'
import { judge, type Outcome } from './judge.ts'
import { randomOf } from './random.ts'
import { startVictim, type Victim } from './victims.ts'

export interface ChaosOptions {
  kills: number
  seed: number
  clients?: number
  onKill?: (done: number) => void
  /** Aborted: no further kill, and what was struck until then is counted. */
  signal?: AbortSignal
}

export interface ChaosResult extends Outcome {
  kills: { process: number; crashPoint: number; container: number }
}

// A crash point that is not reached in this time is given up, and the process killed where it is.
const POINT_MS = 1_200

export async function uploadPictures(): Promise<Buffer[]> {
  return await Promise.all([1, 2, 3].map((n) => picture({ width: 300 + n * 40, height: 240, quality: 70 + n })))
}

/** Kills `kills` times, at random instants, at the crash points, and in the containers; then counts. */
export async function runChaos({
  kills,
  seed,
  clients: clientCount = 3,
  onKill,
  signal,
}: ChaosOptions): Promise<ChaosResult> {
  const random = randomOf(seed)
  const folder = await mkdtemp(join(tmpdir(), 'revela-chaos-'))
  const clients = new Clients(await uploadPictures(), clientCount)
  const done = { process: 0, crashPoint: 0, container: 0 }
  let survivor: Victim | null = null
  const total = (): number => done.process + done.crashPoint + done.container
  const isOver = (): boolean => total() >= kills || signal?.aborted === true
  try {
    while (!isOver()) {
      const atPoint = random() < 0.5
      const point: CrashPoint = {
        ...CRASH_POINTS[Math.floor(random() * CRASH_POINTS.length)]!,
        nth: 1 + Math.floor(random() * 3),
      }
      const victim = await startVictim({ folder, crash: atPoint ? point : null })
      if (victim) {
        clients.url = victim.url
        const lifetime = 100 + random() * 500
        if (!atPoint && random() < 0.3) {
          await delay(lifetime)
          if (victim.killContainer()) done.container++
        }
        await Promise.race([victim.exited, delay(atPoint ? POINT_MS : lifetime)])
        if (victim.isAlive()) done.process++
        else done.crashPoint++
        victim.kill()
        await victim.exited
        // Its port may be another process's from now on.
        clients.url = ''
      } else done.crashPoint++
      onKill?.(total())
    }
    survivor = await startVictim({ folder })
    if (!survivor) throw new Error('the runtime did not start after the last kill')
    clients.url = survivor.url
    await clients.stop()
    return { kills: done, ...(await judge(survivor.url, [...clients.acknowledged.values()], folder)) }
  } finally {
    clients.abandon()
    await survivor?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
