/** How much of the machine others are using. */
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 1_000

function times(): { busy: number; all: number } {
  const each = cpus().map(({ times: { user, nice, sys, idle, irq } }) => ({ busy: user + nice + sys + irq, idle }))
  const busy = each.reduce((sum, cpu) => sum + cpu.busy, 0)
  return { busy, all: each.reduce((sum, cpu) => sum + cpu.idle, busy) }
}

/** 0 to 1, over a second in which we do nothing. The load average would still hold what we did before. */
export async function shareTakenByOthers(): Promise<number> {
  const before = times()
  await sleep(LOOK_MS)
  const now = times()
  return (now.busy - before.busy) / (now.all - before.all)
}
