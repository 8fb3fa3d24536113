/** `npm run chaos -- --kills 2000 --seed 1`: a long run, with what was lost. */
import { parseArgs } from 'node:util'
import { runChaos } from './run.ts'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '2000' }, seed: { type: 'string', default: '1' } },
})
const kills = Number(values.kills)
const started = performance.now()
const result = await runChaos({
  kills,
  seed: Number(values.seed),
  onKill: (done) => {
    if (done % 50 === 0)
      console.log(`${done} of ${kills} kills, ${Math.round((performance.now() - started) / 1_000)} s`)
  },
})
console.log(JSON.stringify(result, null, 2))
const { lost, stuck, torn, doubled, leftovers } = result
process.exitCode = lost + stuck + torn + doubled + leftovers > 0 ? 1 : 0
