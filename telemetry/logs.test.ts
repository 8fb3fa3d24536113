/** A line that was kept reaches Loki, whatever Loki does. */
import { describe, expect, test } from 'vitest'
import { freePort, testLoki } from '../test/telemetry/loki.ts'
import { lineOf, messages, numbered, spoolScene } from '../test/telemetry/spool-scene.ts'
import { until } from '../test/runtime/until.ts'

describe('lines', () => {
  test('come in order, with labels of few values, and are found by their task', async () => {
    await using place = await spoolScene()
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
    await using place = await spoolScene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url)
    kept.logs.keep(lineOf('a', { more: { level: 99, time: 'then', text: '"function":"other"' } }))
    await loki.has(1)
    expect(loki.taken[0]).toMatchObject({ labels: { level: 'info', function: 'get-task' } })
    expect(loki.taken[0]!.ns.startsWith('1700000000000')).toBe(true)
  })

  test('go with user and password where the URL has them', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    await using kept = place.open(loki.url.replace('//', '//me:se%40cret@'))
    kept.logs.keep(lineOf('one'))
    await loki.has(1)
    expect(loki.pushes[0]!.authorization).toBe(`Basic ${Buffer.from('me:se@cret').toString('base64')}`)
  })
})

describe('a Loki that is away', () => {
  test('gets every line once it is there, in order', async () => {
    await using place = await spoolScene()
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
    await using place = await spoolScene()
    await using loki = await testLoki()
    loki.answer = () => ({ status: loki.pushes.length > 2 ? 204 : status })
    await using kept = place.open(loki.url)
    for (const what of numbered(10)) kept.logs.keep(lineOf(what))
    expect(messages(await loki.has(10))).toEqual(numbered(10))
    expect(kept.logs.counts.pushes.retry).toBe(2)
  })

  test('is left in peace as long as its Retry-After says', async () => {
    await using place = await spoolScene()
    await using loki = await testLoki()
    loki.answer = () => (loki.pushes.length > 1 ? { status: 204 } : { status: 429, headers: { 'Retry-After': '1' } })
    await using kept = place.open(loki.url)
    kept.logs.keep(lineOf('one'))
    await loki.has(1)
    // Timers may fire a millisecond early.
    expect(loki.pushes[1]!.at - loki.pushes[0]!.at).toBeGreaterThan(990)
  })

  test('at the end of the process leaves the lines to the next one', async () => {
    await using place = await spoolScene()
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
  await using place = await spoolScene()
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
    await using place = await spoolScene()
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
    await using place = await spoolScene()
    await using loki = await testLoki()
    loki.answer = (lines) => ({ status: lines.length > 3 ? 413 : 204 })
    await using kept = place.open(loki.url)
    for (const what of numbered(40)) kept.logs.keep(lineOf(what))
    expect(messages(await loki.has(40))).toEqual(numbered(40))
    expect(kept.logs.counts.lostBytes.refused).toBe(0)
  })

  test('is counted once, also when Loki goes away between the halves', async () => {
    await using place = await spoolScene()
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
