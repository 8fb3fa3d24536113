/** The containers of a pool: how one begins, rests, is let go when idle, and ends. */
import type { PoolOptions } from './pool.ts'
import { type Container, startContainer } from './container.ts'
import { CONTAINER_IDLE_MS, CONTAINER_INVOCATIONS_MAX, CONTAINER_LAST_IDLE_MS } from './limits.ts'
import { pausedStarts } from './paused-starts.ts'

export interface Member {
  container: Container
  /** Takes no further invocation; ends when the ones it has are over. */
  retired: boolean
  /** Taken, but not yet begun: counted apart, since a start takes time. */
  reserved: number
  idleTimer?: NodeJS.Timeout
}

interface PoolEvents {
  /** A place may have come free. */
  onFree: () => void
  /** A start worked: null; or failed, with the reason. */
  onStarted: (failure: unknown) => void
}

export function poolMembers(options: PoolOptions, { onFree, onStarted }: PoolEvents) {
  const { init, allowed, max, each, onStart, onCount, start = startContainer, startMs } = options
  const { invocationsMax = CONTAINER_INVOCATIONS_MAX } = options
  const { idleMs = CONTAINER_IDLE_MS, lastIdleMs = CONTAINER_LAST_IDLE_MS } = options
  const members = new Set<Member>()
  const starts = pausedStarts(onStarted)
  const busy = ({ container, reserved }: Member): number => container.active() + reserved
  const works = ({ retired, container }: Member): boolean => !retired && !container.spoiled()
  const isWorn = ({ container }: Member): boolean => container.served() >= invocationsMax

  const forget = (member: Member): void => {
    clearTimeout(member.idleTimer)
    if (members.delete(member)) onCount?.(members.size)
    onFree()
  }
  const end = (member: Member): void => {
    member.container.kill()
    forget(member)
  }
  const idle = (member: Member, waitedMs: number): void => {
    // Asked anew each time: of two that fall idle together, one becomes the last.
    const isLast = [...members].every((other) => other === member || other.retired)
    const leftMs = (isLast ? lastIdleMs : idleMs) - waitedMs
    if (leftMs <= 0) return end(member)
    const sleepMs = Math.min(leftMs, idleMs)
    member.idleTimer = setTimeout(idle, sleepMs, member, waitedMs + sleepMs).unref()
  }
  const rest = (member: Member): void => {
    if (!members.has(member)) return
    clearTimeout(member.idleTimer)
    if (busy(member) > 0) return onFree()
    if (!works(member) || isWorn(member)) return end(member)
    idle(member, 0)
    onFree()
  }
  const add = (): Member => {
    const startOne = (): Container => start(init, { allowed, onRest: () => rest(member), startMs })
    const container = starts.start(startOne, () => member.retired)
    const member: Member = { container, retired: false, reserved: 0 }
    members.add(member)
    onStart?.()
    onCount?.(members.size)
    void container.exited.then(() => forget(member))
    return member
  }
  return {
    /** Takes a free place, in a container that is there or in a new one; null when there is none. Throws why none starts. */
    reserve(): Member | null {
      const working = [...members].filter(works)
      const free = working.find((member) => busy(member) < each && !isWorn(member))
      const member = free ?? (working.length < max ? add() : null)
      if (!member) return null
      clearTimeout(member.idleTimer)
      member.reserved++
      return member
    },
    /** One of its invocations, or a reservation, is over. */
    rest,
    end,
    /** What comes next runs in new ones, which may start at once. */
    retireAll(): void {
      starts.endPause()
      for (const member of members) {
        member.retired = true
        // One that only starts is waited for in vain: whoever does takes the next.
        if (member.container.active() === 0) end(member)
      }
    },
    async endAll(): Promise<void> {
      const exits = [...members].map(({ container }) => container.exited)
      for (const member of members) end(Object.assign(member, { retired: true }))
      await Promise.all(exits)
    },
  }
}
