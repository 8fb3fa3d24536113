import { afterAll, beforeAll } from 'vitest'
import { type Client, clientOf, type Options } from './client.ts'
import type { Running, Target } from './target.ts'

/** What a suite is given: filled in before its first test runs. */
export interface Place {
  /** With the key, where the environment has one. */
  readonly api: Client
  readonly runtime: Running
  /** Messages about images that are in this state, by the metrics. */
  messages(state: 'waiting' | 'active'): Promise<number>
}

/** Some targets are half a dozen processes; on a busy machine they take their time. */
const PLACE_MS = 120_000

/** Messages about images that are in this state, as metrics tell. */
export function messagesIn(metrics: string, state: 'waiting' | 'active'): number {
  const name = `queue_messages{queue="image-processing",state="${state}"}`
  const line = metrics.split('\n').find((each) => each.startsWith(name))
  return Number(line?.split(' ')[1])
}

/** Starts the target for the suite that it is called in, and stops it after its last test. */
export function running(target: Target, env: Options | (() => Promise<Options>) = {}): Place {
  let runtime: Running | undefined
  let api: Client | undefined
  beforeAll(async () => {
    const given = typeof env === 'function' ? await env() : env
    runtime = await target.start(given)
    const key = given.API_KEY?.split(',')[0]
    api = clientOf(runtime.url, key ? { 'x-api-key': key } : {})
  }, PLACE_MS)
  afterAll(async () => await runtime?.stop(), PLACE_MS)
  return {
    get api() {
      if (!api) throw new Error('The target is not started yet.')
      return api
    },
    async messages(state) {
      if (this.runtime.messages) return await this.runtime.messages(state)
      return messagesIn(await (await this.api.fetch('/metrics')).text(), state)
    },
    get runtime() {
      if (!runtime) throw new Error('The target is not started yet.')
      return runtime
    },
  }
}
