/** `npm run dev`: every function in a container that is replaced when its code changes. */
import { readConfig } from '../runtime/config.ts'
import { fail, say } from './report.ts'
import { drainOnSignal, outliveStrays } from './signals.ts'
import { announce, startOnFreePort } from './serve.ts'

export async function run(): Promise<void> {
  try {
    const config = readConfig()
    outliveStrays(say)
    const runtime = await startOnFreePort(config, { dev: true })
    drainOnSignal(() => runtime.close(), say)
    await runtime.loaded
    announce(runtime, config, true)
    say('\nWatching functions/ and shared/.')
  } catch (error) {
    fail(error)
  }
}
