/**
 * `npm run chaos -- --kills 2000 --seed 1`: a long run, with what was lost. `--stack servers` strikes MongoDB, Redis and
 * the workers instead; `--kills` are those of the workers then, and the others follow from it. Ctrl-C ends the kills, and
 * what was struck until then is counted.
 */
import { parseArgs } from 'node:util'
import type { Outcome } from './judge.ts'
import { runChaos } from './run.ts'
import { runServersChaos } from './servers.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string', default: '1' },
    stack: { type: 'string', default: 'embedded' },
  },
})
const seed = Number(values.seed)
const stopper = new AbortController()
const { signal } = stopper
process.once('SIGINT', () => stopper.abort())
const started = performance.now()

function report(done: number, of: number): void {
  if (done % 50 === 0) console.log(`${done} of ${of}, ${Math.round((performance.now() - started) / 1_000)} s`)
}

async function run(): Promise<Outcome | null> {
  if (values.stack === 'embedded') {
    const kills = Number(values.kills ?? 2_000)
    return await runChaos({ kills, seed, signal, onKill: (done) => report(done, kills) })
  }
  if (values.stack !== 'servers') throw new Error(`--stack: expected embedded or servers, got ${values.stack}`)
  const worker = Number(values.kills ?? 500)
  const part = (of500: number): number => Math.ceil((worker * of500) / 500)
  const faults = { worker, redis: part(20), flush: part(5), freeze: part(10), mongo: part(10) }
  return await runServersChaos({ faults, seed, signal, onFault: report })
}

const result = await run()
if (!result)
  throw new Error('expected a mongod and a redis-server on this machine, or TEST_MONGOD and TEST_REDIS_SERVER')
console.log(JSON.stringify(result, null, 2))
const { lost, stuck, torn, doubled, leftovers } = result
process.exitCode = lost + stuck + torn + doubled + leftovers > 0 ? 1 : 0
