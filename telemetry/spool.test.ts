/** Files of lines: one after the other, within the bound, and taken over from the dead. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MIB } from '#shared/limits.ts'
import { freePort, testLoki } from '../test/telemetry/loki.ts'
import { lineOf, messages, numbered, spoolScene } from '../test/telemetry/spool-scene.ts'
import { until } from '../test/runtime/until.ts'
import { type Logs, openLogs } from './logs.ts'

describe('the files', () => {
  test('are one after the other, and go when Loki has them', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url, { start: false })
    const pad = 'x'.repeat(20_000)
    for (const what of numbered(40)) kept.logs.keep(lineOf(what, { more: { pad } }))
    expect((await place.files()).length).toBeGreaterThan(2)
    kept.logs.start({ warn: () => undefined, info: () => undefined })
    expect(messages(await loki.has(40))).toEqual(numbered(40))
    await until('one file', async () => (await place.files()).length === 1)
    expect(kept.logs.counts.unsentBytes()).toBe(0)
  })

  test('stay within the bound: the oldest go, which is counted', async () => {
    await using place = await spoolScene()
    const port = await freePort()
    await using kept = place.open(`http://127.0.0.1:${port}`)
    const pad = 'x'.repeat(20_000)
    const bytes = lineOf('line 100', { more: { pad } }).length
    const whats = numbered(100, 100)
    for (const what of whats) {
      kept.logs.keep(lineOf(what, { more: { pad } }))
      expect(kept.logs.counts.unsentBytes()).toBeLessThanOrEqual(MIB)
    }
    const { bound } = kept.logs.counts.lostBytes
    expect(bound).toBeGreaterThanOrEqual(100 * bytes - MIB)
    const lost = bound / bytes
    expect(lost).toBeLessThan(100 - 38)
    await using loki = await testLoki(port)
    expect(messages(await loki.has(100 - lost))).toEqual(whats.slice(lost))
  })

  test('whose process is dead are shipped by another one, under their own name', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    {
      await using dead = place.open('http://127.0.0.1:9', { service: 'worker' })
      dead.logs.keep(lineOf('of the dead'))
    }
    await using living = place.open(loki.url, { service: 'api-backend' })
    living.logs.keep(lineOf('of the living'))
    await loki.has(2)
    const services = loki.taken.map(({ labels, line }) => [labels['service'], messages([line])[0]])
    expect(Object.fromEntries(services)).toEqual({ worker: 'of the dead', 'api-backend': 'of the living' })
  })

  test.each([
    ['whose lock is none', 'a.0/lock'],
    ['with a file of lines that is none', 'a.0/000000000001.ndjson'],
  ])(
    'of the dead are shipped also where there is a folder %s beside them, which is told once',
    async (_what, fault) => {
      await using place = await spoolScene()
      await using loki = await testLoki()
      await mkdir(join(place.root, fault), { recursive: true })
      await writeFile(join(place.root, 'a.0/000000000002.ndjson'), lineOf('of nobody'))
      // Nobody but root can read it, and nothing in it is ours.
      await mkdir(join(place.root, 'lost+found'), { mode: 0o000 })
      const die = async (service: string): Promise<void> => {
        await using dead = place.open('http://127.0.0.1:9', { service, start: false })
        dead.logs.keep(lineOf(`of ${service}`))
      }
      await die('dead')
      await using living = place.open(loki.url, { service: 'living' })
      expect(messages(await loki.has(1))).toEqual(['of dead'])
      // A round that begins later, and comes by the folder again.
      await die('later')
      expect(messages(await loki.has(2))).toEqual(['of dead', 'of later'])
      expect(living.told).toEqual([{ level: 'warn', reason: expect.any(String) as unknown }])
      expect(living.skipped).toEqual([join(place.root, 'a.0')])
    },
  )

  test('of a process that lives are left to it', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    await using first = place.open(loki.url, { start: false })
    first.logs.keep(lineOf('mine'))
    await using second = place.open(loki.url)
    second.logs.keep(lineOf('one'))
    await loki.has(1)
    const { length } = loki.pushes
    second.logs.keep(lineOf('two'))
    await loki.has(2)
    expect(messages(loki.lines())).toEqual(['one', 'two'])
    expect(loki.taken.map(({ labels }) => labels['replica'])).toEqual(['1', '1'])
    expect(loki.pushes.length).toBeGreaterThan(length)
  })

  test('that end in the middle of a line, as a kill leaves them, hold up nothing', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    {
      await using dead = place.open('http://127.0.0.1:9')
      dead.logs.keep(lineOf('whole'))
    }
    const [file] = await place.files()
    await writeFile(join(place.root, file!), '{"level":30,"time":"2026', { flag: 'a' })
    await using next = place.open(loki.url)
    next.logs.keep(lineOf('next'))
    const lines = await loki.has(3)
    expect(lines).toContain('{"level":30,"time":"2026')
    expect(loki.taken.find(({ line }) => line.endsWith('2026'))?.labels).toMatchObject({ level: 'unknown' })
  })

  test('whose place was lost come again as the same entries', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    {
      await using kept = place.open(loki.url)
      for (const what of numbered(10)) kept.logs.keep(lineOf(what))
      await loki.has(10)
    }
    await rm(join(place.root, 'worker.0/place.json'))
    await using next = place.open(loki.url)
    next.logs.keep(lineOf('line 10'))
    expect(messages(await loki.has(11))).toEqual(numbered(11))
    expect(loki.taken.length).toBe(21)
  })

  test('that a disk does not take make no fault of the process', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url, { start: false })
    await rm(join(place.root, 'worker.0'), { recursive: true })
    const line = lineOf('one')
    kept.logs.keep(line)
    expect(kept.logs.counts.lostBytes.disk).toBe(line.length)
  })
})

test('a folder that cannot be written ends the start, and is named', async () => {
  await using place = await spoolScene()
  await writeFile(join(place.root, 'file'), '')
  const open = (): Logs => openLogs({ url: 'http://loki', root: join(place.root, 'file'), bytesMax: MIB, service: 'x' })
  expect(open).toThrow(/^LOG_SPOOL_PATH: /)
})
