/** The containers of one function: started on demand, at most `max`, replaced when they die, let go when idle. */
import type { Bindings } from '#shared/bindings.ts'
import { notStarted, START_RETRY_MS } from '#shared/not-started.ts'
import type { Description } from '../../../console/describe.ts'
import type { FunctionHost } from '../../host.ts'
import { RuntimeClosing } from '../../invocation.ts'
import type { AllowedCalls } from './call-rules.ts'
import type { startContainer } from './container.ts'
import type { ContainerInit } from './container-protocol.ts'
import { createKeeper } from './keeper.ts'
import { type Member, poolMembers } from './pool-members.ts'

export interface PoolOptions {
  init: Omit<ContainerInit, 'watch'>
  /** What its containers may ask of the runtime. */
  allowed: AllowedCalls
  /** Containers at once that take work; one that was retired or spoiled may still end beside them. */
  max: number
  /** Invocations at once in one container. */
  each: number
  onStart?: () => void
  onCount?: (alive: number) => void
  start?: typeof startContainer
  /** How long a start may take. */
  startMs?: number
  /** After so many invocations a container is replaced. */
  invocationsMax?: number
  /** How long one that does nothing is kept, and how long the last one. */
  idleMs?: number
  lastIdleMs?: number
}

function closing(cause?: unknown): RuntimeClosing {
  return new RuntimeClosing('The runtime is closing.', { cause })
}

export function containerPool(options: PoolOptions): FunctionHost {
  const waiting: (() => void)[] = []
  let tell: (failure: unknown) => void = () => undefined
  const wake = (): void => waiting.shift()?.()
  const members = poolMembers(options, { onFree: wake, onStarted: (failure) => tell(failure) })
  const keeper = createKeeper()
  let closed = false

  const reserve = (): Member | null => {
    try {
      return members.reserve()
    } catch (error) {
      // The next one waits for a container that never was.
      wake()
      throw error
    }
  }

  /** A place in a container that is ready, reserved until the caller has begun. Waits where all are taken. */
  const take = async (): Promise<Member> => {
    for (;;) {
      if (closed) throw closing()
      const member = reserve()
      if (!member) {
        await new Promise<void>((resolve) => waiting.push(resolve))
        continue
      }
      try {
        await member.container.ready
        return member
      } catch (error) {
        member.reserved--
        members.end(member)
        // What failed was the code as it was; as it is now it may load.
        if (member.retired && !closed) continue
        throw error
      }
    }
  }
  /** A message keeps its slot for the pause: else a whole backlog would be taken, and put off, in one go. */
  const refuse = async (cause: unknown, { invocation }: Bindings): Promise<never> => {
    const leftMs = (invocation.deadline - Date.now()) / 2
    if (!closed && options.init.trigger === 'queue') await keeper.keep(Math.min(START_RETRY_MS, leftMs))
    throw closed ? closing(cause) : notStarted(cause)
  }
  const describe = async (): Promise<Description> => {
    const member = await take()
    member.reserved--
    members.rest(member)
    return await member.container.ready
  }

  return {
    load: async () => void (await describe()),
    describe,
    async fetch(request, env, task) {
      const member = await take().catch(async (cause: unknown) => await refuse(cause, env))
      const response = member.container.fetch(request, env, task).catch((cause: unknown) => {
        throw closed ? closing(cause) : cause
      })
      member.reserved--
      // One that never began left the place as it was.
      return await response.finally(() => members.rest(member))
    },
    onStarted: (listener) => void (tell = listener),
    async reload() {
      members.retireAll()
      await describe()
    },
    async close() {
      closed = true
      keeper.letGo()
      const ended = members.endAll()
      for (const go of waiting.splice(0)) go()
      await ended
    },
  }
}
