/** The containers of one function: started on demand, at most `max`, replaced when they die, let go when idle. */
import { type Container, startContainer } from './container.ts'
import type { ContainerInit } from './container-protocol.ts'
import type { Description } from '../../console/describe.ts'
import type { FunctionHost } from '../../host.ts'
import { CONTAINER_IDLE_MS, CONTAINER_INVOCATIONS_MAX, CONTAINER_LAST_IDLE_MS } from './limits.ts'

export interface PoolOptions {
  init: Omit<ContainerInit, 'watch'>
  /** Containers at once. */
  max: number
  /** Invocations at once in one container. */
  each: number
  onStart?: () => void
  onCount?: (alive: number) => void
  start?: typeof startContainer
}

interface Member {
  container: Container
  /** Takes no further invocation; ends when the ones it has are over. */
  retired: boolean
  /** Taken, but not yet begun: counted apart, since a start takes time. */
  reserved: number
  idleTimer?: NodeJS.Timeout
}

export function containerPool({
  init,
  max,
  each,
  onStart,
  onCount,
  start = startContainer,
}: PoolOptions): FunctionHost {
  const members = new Set<Member>()
  const count = (): void => onCount?.(members.size)

  const end = (member: Member): void => {
    clearTimeout(member.idleTimer)
    members.delete(member)
    member.container.kill()
    count()
  }
  const add = (): Member => {
    const member: Member = { container: start(init, () => rest(member)), retired: false, reserved: 0 }
    members.add(member)
    onStart?.()
    count()
    void member.container.exited.then(() => {
      clearTimeout(member.idleTimer)
      members.delete(member)
      count()
    })
    return member
  }
  const free = (member: Member): boolean => !member.retired && member.container.active() + member.reserved < each
  const rest = (member: Member): void => {
    clearTimeout(member.idleTimer)
    if (member.container.active() + member.reserved > 0) return
    if (member.retired || member.container.served() >= CONTAINER_INVOCATIONS_MAX) return end(member)
    const isLast = [...members].filter(({ retired }) => !retired).length === 1
    member.idleTimer = setTimeout(
      () => (member.container.active() + member.reserved === 0 ? end(member) : undefined),
      isLast ? CONTAINER_LAST_IDLE_MS : CONTAINER_IDLE_MS,
    )
    member.idleTimer.unref()
  }
  const take = async (): Promise<Member> => {
    const alive = [...members].filter(({ retired }) => !retired)
    const member = alive.find(free) ?? (alive.length < max ? add() : undefined)
    // invoke's slots keep callers within max × each; a container that is being killed may still hold its place.
    if (!member) return await Promise.race(alive.map(({ container }) => container.exited)).then(take)
    clearTimeout(member.idleTimer)
    member.reserved++
    try {
      await member.container.ready
      return member
    } catch (error) {
      member.reserved--
      end(member)
      throw error
    }
  }
  const any = async (): Promise<Description> => {
    const member = await take()
    member.reserved--
    rest(member)
    return await member.container.ready
  }

  return {
    load: async () => void (await any()),
    describe: any,
    async fetch(request, env) {
      const member = await take()
      const response = member.container.fetch(request, env)
      member.reserved--
      return await response
    },
    async reload() {
      for (const member of members) {
        member.retired = true
        rest(member)
      }
      await any()
    },
    async close() {
      const exits = [...members].map(({ container }) => container.exited)
      for (const member of members) end(member)
      await Promise.all(exits)
    },
  }
}
