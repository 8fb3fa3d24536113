/** A service's containers are replaced one by one, around a stand-in for docker. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkshop, type Workshop } from './scripts.ts'

let shop: Workshop
beforeEach(async () => void (shop = await openWorkshop()))
afterEach(async () => await shop[Symbol.asyncDispose]())

describe('rollout.sh', () => {
  test('a new one is healthy before each old one ends', async () => {
    await shop.docker(`case "$*" in *' ps '*) printf 'old-1\\nold-2\\n';; esac`)
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(0)
    const up = 'compose up --detach --wait --no-deps --no-build --no-recreate --scale worker=3 worker'
    const gone = (name: string): string[] => [up, `stop ${name}`, `rm ${name}`]
    expect((await shop.asked()).slice(1)).toEqual([...gone('old-1'), ...gone('old-2')])
  })

  test.each([
    ['the new one does not become healthy', `case "$*" in *' ps '*) echo old-1;; *' up '*) exit 1;; esac`],
    ['nothing runs', ''],
  ])('%s: nothing is stopped', async (_what, body) => {
    await shop.docker(body)
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(1)
    expect((await shop.asked()).filter((line) => line.startsWith('stop'))).toEqual([])
  })
})
