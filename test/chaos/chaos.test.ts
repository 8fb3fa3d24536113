import { expect, test } from 'vitest'
import { runChaos } from './run.ts'

const KILLS = 100

test(`${KILLS} kills lose nothing, tear nothing and double nothing`, { timeout: 240_000 }, async () => {
  const result = await runChaos({ kills: KILLS, seed: 7 })
  expect(result).toMatchObject({ failed: 0, lost: 0, stuck: 0, torn: 0, doubled: 0, leftovers: 0 })
  // A run in which nothing was accepted would prove nothing.
  expect(result.acknowledged).toBeGreaterThan(KILLS)
  expect(result.completed).toBe(result.acknowledged)
})
