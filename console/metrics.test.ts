import { expect, test } from 'vitest'
import type { LoadedFunction } from '../runtime/loader.ts'
import { openCounts } from './counts.ts'
import { createMetrics, type EndedInvocation, UNTOLD_MAX } from './metrics.ts'

const fn = { name: 'any', answered: new Map(), running: 0 } as unknown as LoadedFunction
const ended = { fn, status: 200, ms: 2 } as EndedInvocation

async function shown(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> {
  const text = await (await metrics.registry()).metrics()
  return text.split('\n').filter((line) => line.startsWith(name))
}

test('what is counted before the registry is there is shown with what comes after', async () => {
  const metrics = createMetrics()
  metrics.ended(ended)
  metrics.coldstart('any')
  metrics.containers('any', 2)
  metrics.containers('any', 1)
  metrics.verdict('images', 'retry')
  metrics.measure('derived_total', 3, { format: 'webp' })
  const opening = metrics.registry()
  metrics.ended(ended)
  await opening
  metrics.ended(ended)
  expect(await shown(metrics, 'faas_invoke_duration_seconds_count')).toEqual([
    'faas_invoke_duration_seconds_count{function="any"} 3',
  ])
  expect(await shown(metrics, 'faas_coldstarts_total')).toEqual(['faas_coldstarts_total{function="any"} 1'])
  expect(await shown(metrics, 'containers')).toEqual(['containers{function="any"} 1'])
  expect(await shown(metrics, 'queue_verdicts_total')).toEqual([
    'queue_verdicts_total{queue="images",verdict="retry"} 1',
  ])
  expect(await shown(metrics, 'derived_total')).toEqual(['derived_total{format="webp"} 3'])
})

test('listeners are told at once, and the function keeps its own counts', () => {
  const metrics = createMetrics()
  const told: EndedInvocation[] = []
  metrics.onEnded((each) => told.push(each))
  const own = { ...ended, fn: { ...fn, answered: new Map() } }
  metrics.ended(own)
  expect(told).toEqual([own])
  expect([...own.fn.answered]).toEqual([[200, 1]])
})

test(`UNTOLD_MAX numbers are kept, and no more`, async () => {
  const metrics = createMetrics()
  for (let i = 0; i <= UNTOLD_MAX; i++) metrics.coldstart('any')
  expect(await shown(metrics, 'faas_coldstarts_total')).toEqual([`faas_coldstarts_total{function="any"} ${UNTOLD_MAX}`])
})

test('code that could not be loaded is loaded when it is asked for again, and nothing counted is lost', async () => {
  let loads = 0
  const metrics = createMetrics(async () => {
    if (loads++ === 0) throw new Error('EMFILE')
    return await Promise.resolve(openCounts())
  })
  metrics.coldstart('any')
  await expect(metrics.registry()).rejects.toThrow('EMFILE')
  metrics.coldstart('any')
  expect(await shown(metrics, 'faas_coldstarts_total')).toEqual(['faas_coldstarts_total{function="any"} 2'])
})

test('where nobody asks for the registry, half of what is kept has it opened', async () => {
  const opened = Promise.withResolvers<void>()
  const metrics = createMetrics(async () => {
    opened.resolve()
    return await Promise.resolve(openCounts())
  })
  for (let i = 0; i < UNTOLD_MAX / 2; i++) metrics.coldstart('any')
  await opened.promise
  await metrics.registry()
  for (let i = 0; i < UNTOLD_MAX; i++) metrics.coldstart('any')
  expect(await shown(metrics, 'faas_coldstarts_total')).toEqual([
    `faas_coldstarts_total{function="any"} ${1.5 * UNTOLD_MAX}`,
  ])
})

test.each([Number.NaN, -1, Infinity])(
  '%s is no number to be counted, before the registry is there as after',
  async (value) => {
    const metrics = createMetrics()
    metrics.verdict('images', 'retry')
    expect(() => metrics.measure('render_seconds', value, { outcome: 'completed' })).toThrow('render_seconds: expected')
    expect(await shown(metrics, 'queue_verdicts_total')).toHaveLength(1)
    expect(() => metrics.measure('derived_total', value, { format: 'webp' })).toThrow('derived_total: expected')
  },
)

test('every scrape sees one registry, with what parts of the process add to it', async () => {
  const metrics = createMetrics()
  const seen: unknown[] = []
  metrics.extend(async (registry) => {
    await Promise.resolve()
    seen.push(registry)
  })
  expect(await metrics.registry()).toBe(await metrics.registry())
  expect(seen).toEqual([await metrics.registry()])
  expect(() => metrics.extend(() => undefined)).toThrow('before they are first read')
})
