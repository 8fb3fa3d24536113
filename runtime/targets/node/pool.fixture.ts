/** A pool whose containers have no process. */
import type { Bindings } from '#shared/bindings.ts'
import { testInvocation, testSettings } from '../../../test/bindings.ts'
import type { Container, startContainer } from './container.ts'
import { containerPool, type PoolOptions } from './pool.ts'

interface FakeContainer extends Container {
  /** Ends its invocations. */
  finish(): void
  spoil(): void
  killed: boolean
}

/** Containers without processes: a request stays until `finish`. */
export function fakes() {
  const all: FakeContainer[] = []
  const start: typeof startContainer = (_init, { onRest }) => {
    const open: (() => void)[] = []
    const exit = Promise.withResolvers<void>()
    let served = 0
    let spoiled = false
    const container: FakeContainer = {
      pid: undefined,
      ready: Promise.resolve({ paths: {}, components: {}, routes: [] }),
      exited: exit.promise,
      active: () => open.length,
      served: () => served,
      spoiled: () => spoiled,
      killed: false,
      fetch: async () => {
        served++
        const { promise, resolve } = Promise.withResolvers<void>()
        open.push(resolve)
        await promise
        return new Response('ok')
      },
      kill: () => {
        container.killed = true
        exit.resolve()
      },
      spoil: () => (spoiled = true),
      finish: () => {
        for (const resolve of open.splice(0)) resolve()
        onRest()
      },
    }
    all.push(container)
    return container
  }
  return { all, start, alive: () => all.filter(({ killed }) => !killed) }
}

const storage = { inputPath: '', outputPath: '', allowHosts: [] }
export const INIT = { index: '', trigger: 'http', storage, settings: testSettings() } as const

export function pool(options: Partial<PoolOptions>) {
  const { all, start, alive } = fakes()
  const host = containerPool({ init: INIT, allowed: 'all', max: 2, each: 1, start, ...options })
  const env = { invocation: testInvocation() } as Bindings
  const fetch = () => host.fetch(new Request('http://localhost/'), env)
  return { host, all, alive, fetch }
}
