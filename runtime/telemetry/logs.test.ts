/** A line that was kept reaches Loki, whatever Loki or the process does in between. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Level, pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { MIB } from '#shared/limits.ts'
import { freePort, testLoki } from '../../test/telemetry/loki.ts'
import { until } from '../../test/runtime/until.ts'
import { type Logs, openLogs } from './logs.ts'

interface LineOptions {
  level?: Level
  ms?: number
  fn?: string
  more?: object
}

/** A line as the logger writes it. */
function lineOf(
  what: string,
  { level = 'info', ms = 1_700_000_000_000, fn = 'get-task', more = {} }: LineOptions = {},
): string {
  let text = ''
  const timestamp = (): string => `,"time":"${new Date(ms).toISOString()}"`
  const logger = pino({ base: {}, timestamp }, { write: (line: string) => void (text = line) })
  logger[level]({ function: fn, task: `task-${what}`, ...more }, what)
  return text
}

const messages = (lines: readonly string[]): string[] => lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `line ${from + i}`)

interface Kept extends AsyncDisposable {
  logs: Logs
  told: { level: string; reason: unknown }[]
}

interface Scene extends AsyncDisposable {
  root: string
  open(url: string, options?: { bytesMax?: number; service?: string; adoptMs?: number; start?: boolean }): Kept
  /** Files with lines, of all folders. */
  files(): Promise<string[]>
}

async function scene(): Promise<Scene> {
  const root = await mkdtemp(join(tmpdir(), 'revela-spool-'))
  return {
    root,
    open(url, { bytesMax = MIB, service = 'worker', adoptMs = 20, start = true } = {}) {
      const logs = openLogs({ url, root, bytesMax, service, pauses: { everyMs: 5, backoffMs: 5, adoptMs } })
      const told: Kept['told'] = []
      const tell = (level: string) => (fields: unknown) =>
        void told.push({ level, reason: (fields as { reason?: unknown }).reason })
      if (start) logs.start({ warn: tell('warn'), info: tell('info') })
      return { logs, told, [Symbol.asyncDispose]: async () => await logs.close(2_000) }
    },
    async files() {
      return (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ndjson'))
    },
    async [Symbol.asyncDispose]() {
      await rm(root, { recursive: true, force: true })
    },
  }
}

describe('lines', () => {
  test('come in order, with labels of few values, and are found by their task', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url)
    kept.logs.keep(lineOf('one'))
    kept.logs.keep(lineOf('two'))
    kept.logs.keep(lineOf('bad', { level: 'error', fn: 'process-image' }))
    kept.logs.keep('{"level":40,"time":"2026-01-01T00:00:00.000Z","msg":"of no function"}\n')
    await loki.has(4)
    const infos = loki.taken.filter(({ labels }) => labels['level'] === 'info')
    expect(messages(infos.map(({ line }) => line))).toEqual(['one', 'two'])
    expect(infos[0]!.labels).toEqual({ service: 'worker', replica: '0', level: 'info', function: 'get-task' })
    expect(BigInt(infos[1]!.ns) > BigInt(infos[0]!.ns)).toBe(true)
    expect(infos[0]!.ns.slice(0, 13)).toBe('1700000000000')
    const others = loki.taken.filter(({ labels }) => labels['level'] !== 'info').map(({ labels }) => labels)
    expect(others).toEqual(
      expect.arrayContaining([
        { service: 'worker', replica: '0', level: 'error', function: 'process-image' },
        { service: 'worker', replica: '0', level: 'warn' },
      ]),
    )
    expect(JSON.parse(infos[0]!.line)).toMatchObject({ task: 'task-one' })
  })

  test('no field of a function makes a label', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url)
    kept.logs.keep(lineOf('a', { more: { level: 99, time: 'then', text: '"function":"other"' } }))
    await loki.has(1)
    expect(loki.taken[0]).toMatchObject({ labels: { level: 'info', function: 'get-task' } })
    expect(loki.taken[0]!.ns.startsWith('1700000000000')).toBe(true)
  })

  test('go with user and password where the URL has them', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url.replace('//', '//me:se%40cret@'))
    kept.logs.keep(lineOf('one'))
    await loki.has(1)
    expect(loki.pushes[0]!.authorization).toBe(`Basic ${Buffer.from('me:se@cret').toString('base64')}`)
  })
})

describe('a Loki that is away', () => {
  test('gets every line once it is there, in order', async () => {
    await using place = await scene()
    const port = await freePort()
    await using kept = place.open(`http://127.0.0.1:${port}`)
    for (const what of numbered(500)) kept.logs.keep(lineOf(what))
    await until('a failed push', () => kept.logs.counts.pushes.retry > 2)
    expect(kept.told).toEqual([{ level: 'warn', reason: expect.stringContaining('ECONNREFUSED') as unknown }])
    await using loki = await testLoki(port)
    expect(messages(await loki.has(500))).toEqual(numbered(500))
    await until('the good news', () => kept.told.at(-1)?.level === 'info')
    expect(kept.logs.counts.lostBytes).toEqual({ bound: 0, disk: 0, refused: 0 })
  })

  test.each([500, 503, 429, 401, 404])('that answers %i is asked again, and nothing is lost', async (status) => {
    await using place = await scene()
    await using loki = await testLoki()
    loki.answer = () => ({ status: loki.pushes.length > 2 ? 204 : status })
    await using kept = place.open(loki.url)
    for (const what of numbered(10)) kept.logs.keep(lineOf(what))
    expect(messages(await loki.has(10))).toEqual(numbered(10))
    expect(kept.logs.counts.pushes.retry).toBe(2)
  })

  test('is left in peace as long as its Retry-After says', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    loki.answer = () => (loki.pushes.length > 1 ? { status: 204 } : { status: 429, headers: { 'Retry-After': '1' } })
    await using kept = place.open(loki.url)
    kept.logs.keep(lineOf('one'))
    await loki.has(1)
    // Timers may fire a millisecond early.
    expect(loki.pushes[1]!.at - loki.pushes[0]!.at).toBeGreaterThan(990)
  })

  test('at the end of the process leaves the lines to the next one', async () => {
    await using place = await scene()
    const port = await freePort()
    {
      await using kept = place.open(`http://127.0.0.1:${port}`)
      for (const what of numbered(20)) kept.logs.keep(lineOf(what))
    }
    await using loki = await testLoki(port)
    await using next = place.open(loki.url)
    next.logs.keep(lineOf('line 20'))
    expect(messages(await loki.has(21))).toEqual(numbered(21))
    expect(new Set(loki.taken.map(({ labels }) => labels['replica']))).toEqual(new Set(['0']))
  })
})

test('a Loki that never answers does not hold up the end, and takes nothing along', async () => {
  await using place = await scene()
  const never = Promise.withResolvers<never>()
  const port = await freePort()
  {
    await using loki = await testLoki(port)
    loki.answer = async () => await never.promise
    const kept = place.open(loki.url)
    for (const what of numbered(10)) kept.logs.keep(lineOf(what))
    await until('a push', () => loki.pushes.length > 0)
    await kept.logs.close(20)
  }
  await using loki = await testLoki(port)
  await using next = place.open(loki.url)
  next.logs.keep(lineOf('line 10'))
  expect(messages(await loki.has(11))).toEqual(numbered(11))
})

describe('what Loki refuses', () => {
  const long = (line: string): boolean => line.includes('long')

  test('is left out alone, and counted', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    loki.answer = (lines) => (lines.some(long) ? { status: 400, refuses: long } : { status: 204 })
    await using kept = place.open(loki.url)
    const refused = lineOf('too long')
    for (const what of numbered(7)) kept.logs.keep(lineOf(what))
    kept.logs.keep(refused)
    for (const what of numbered(7, 7)) kept.logs.keep(lineOf(what))
    expect(messages(await loki.has(14)).sort()).toEqual(numbered(14).sort())
    await until('the count', () => kept.logs.counts.lostBytes.refused > 0)
    expect(kept.logs.counts.lostBytes.refused).toBe(refused.length)
    expect(kept.told).toEqual([{ level: 'warn', reason: '400: what Loki says' }])
    // It does not come again.
    const { length } = loki.pushes
    kept.logs.keep(lineOf('after'))
    await loki.has(15)
    expect(loki.pushes.slice(length).some(({ lines }) => lines.some(long))).toBe(false)
  })

  test('for its size comes in smaller pushes', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    loki.answer = (lines) => ({ status: lines.length > 3 ? 413 : 204 })
    await using kept = place.open(loki.url)
    for (const what of numbered(40)) kept.logs.keep(lineOf(what))
    expect(messages(await loki.has(40))).toEqual(numbered(40))
    expect(kept.logs.counts.lostBytes.refused).toBe(0)
  })

  test('is counted once, also when Loki goes away between the halves', async () => {
    await using place = await scene()
    await using loki = await testLoki()
    let outages = 0
    loki.answer = (lines) => {
      if (lines.some(long)) return { status: 400, refuses: long }
      return outages++ < 4 ? { status: 503 } : { status: 204 }
    }
    await using kept = place.open(loki.url)
    const refused = lineOf('too long')
    kept.logs.keep(refused)
    for (const what of numbered(3)) kept.logs.keep(lineOf(what))
    await until('the end', () => kept.logs.counts.unsentBytes() === 0)
    expect(outages).toBeGreaterThan(3)
    expect(messages(loki.lines())).toEqual(numbered(3))
    expect(kept.logs.counts.lostBytes.refused).toBe(refused.length)
  })
})

describe('the files', () => {
  test('are one after the other, and go when Loki has them', async () => {
    await using place = await scene()
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
    await using place = await scene()
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
    await using place = await scene()
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

  test('of a process that lives are left to it', async () => {
    await using place = await scene()
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
    await using place = await scene()
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
    await using place = await scene()
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
    await using place = await scene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url, { start: false })
    await rm(join(place.root, 'worker.0'), { recursive: true })
    const line = lineOf('one')
    kept.logs.keep(line)
    expect(kept.logs.counts.lostBytes.disk).toBe(line.length)
  })
})

test('a folder that cannot be written ends the start, and is named', async () => {
  await using place = await scene()
  await writeFile(join(place.root, 'file'), '')
  const open = (): Logs => openLogs({ url: 'http://loki', root: join(place.root, 'file'), bytesMax: MIB, service: 'x' })
  expect(open).toThrow(/^LOG_SPOOL_PATH: /)
})
