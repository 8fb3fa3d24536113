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

/** Starts the target for the suite that it is called in, and stops it after its last test. */
export function running(target: Target, env: Options | (() => Promise<Options>) = {}): Place {
  let runtime: Running | undefined
  let api: Client | undefined
  beforeAll(async () => {
    const given = typeof env === 'function' ? await env() : env
    runtime = await target.start(given)
    const key = given.API_KEY?.split(',')[0]
    api = clientOf(runtime.url, key ? { 'x-api-key': key } : {})
  })
  afterAll(async () => await runtime?.stop())
  return {
    get api() {
      if (!api) throw new Error('The target is not started yet.')
      return api
    },
    async messages(state) {
      const text = await (await this.api.fetch('/metrics')).text()
      const line = text
        .split('\n')
        .find((each) => each.startsWith(`queue_messages{queue="image-processing",state="${state}"}`))
      return Number(line?.split(' ')[1])
    },
    get runtime() {
      if (!runtime) throw new Error('The target is not started yet.')
      return runtime
    },
  }
}
