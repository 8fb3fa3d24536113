/** Each invocation is a span of its caller's trace, for an OTLP receiver where one is named. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../console/metrics.ts'
import { RunningInvocation } from '../../runtime/invocation.ts'
import type { LoadedFunction } from '../../runtime/loader.ts'
import { SPANS_MAX } from '../../telemetry/limits.ts'
import { openSpans } from '../../telemetry/spans.ts'
import { command, storageIn } from '../project/command.ts'
import { recordedLog } from '../runtime/log.ts'
import { startTestRuntime, type TestRuntime } from '../runtime/runtime.ts'
import { freePort } from './loki.ts'
import { otlpReceiver } from './otlp.ts'

const SERVER = 2
const CONSUMER = 5
const INTERNAL = 1
const ERROR = 2

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

const { logger } = recordedLog()
const metrics = createMetrics()

async function traced(endpoint: string, names = ['inline', 'work']): Promise<TestRuntime> {
  const OTEL_SERVICE_NAME = 'api-backend'
  return await startTestRuntime({ names, env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME } })
}

describe('spans', () => {
  test('of a request and of the message that it sent are one trace', async () => {
    await using receiver = await otlpReceiver()
    {
      await using runtime = await traced(receiver.url)
      const body = JSON.stringify({ any: 'thing' })
      const headers = { traceparent: `00-${TRACE}-${PARENT}-01`, 'content-type': 'application/json' }
      const response = await runtime.fetch('/inline/send?secret=signature', { method: 'POST', body, headers })
      const { subject } = (await response.json()) as { subject: string }
      await runtime.line('the work', ({ function: name, status }) => name === 'work' && status === 204)
      const own = response.headers.get('traceparent')!
      // What waits is exported when the runtime ends.
      await runtime.runtime.close()
      const request = await receiver.span('of the request', ({ name }) => name === 'inline')
      expect(request).toMatchObject({
        traceId: TRACE,
        spanId: own.split('-')[2],
        parentSpanId: PARENT,
        kind: SERVER,
        attributes: {
          'faas.trigger': 'http',
          'faas.name': 'inline',
          'http.request.method': 'POST',
          'http.response.status_code': 202,
          'http.route': '/inline/{what}',
          'url.path': '/inline/send',
          'url.scheme': 'http',
        },
        resource: { 'service.name': 'api-backend', 'service.version': '0.1.0', 'faas.version': '0.1.0' },
      })
      expect(request.status.code ?? 0).toBe(0)
      expect(JSON.stringify(request)).not.toContain('signature')
      const took = BigInt(request.endTimeUnixNano) - BigInt(request.startTimeUnixNano)
      expect(took).toBeGreaterThan(0n)
      const line = runtime.lines.find(({ function: name, status }) => name === 'inline' && status === 202)
      expect(request.attributes['faas.invocation_id']).toBe(line?.['invocation'])

      const work = await receiver.span('of the work', ({ name }) => name === 'work')
      expect(work).toMatchObject({
        traceId: TRACE,
        parentSpanId: request.spanId,
        kind: CONSUMER,
        attributes: {
          'faas.trigger': 'pubsub',
          'messaging.destination.name': 'work',
          'messaging.operation.type': 'process',
          'cloudevents.event_type': 'task.created',
          'revela.task': subject,
          'revela.attempt': 1,
        },
      })
    }
  })

  test.each([
    ['of no caller', {}],
    ['of a caller whose header is none', { traceparent: 'nonsense' }],
  ])('%s begin a trace', async (_what, headers) => {
    await using receiver = await otlpReceiver()
    await using runtime = await traced(receiver.url)
    await runtime.fetch('/inline/ok', { headers })
    await runtime.runtime.close()
    expect((await receiver.span('of the request', () => true)).parentSpanId).toBe(undefined)
  })

  test("are not exported where the caller's flags say so", async () => {
    await using receiver = await otlpReceiver()
    await using runtime = await traced(receiver.url)
    await runtime.fetch('/inline/ok', { headers: { traceparent: `00-${TRACE}-${PARENT}-00` } })
    await runtime.fetch('/inline/ok')
    await runtime.runtime.close()
    expect(receiver.spans.map(({ traceId }) => traceId)).toHaveLength(1)
    expect(receiver.spans[0]!.traceId).not.toBe(TRACE)
  })

  test('of a failure say so, and why', async () => {
    await using receiver = await otlpReceiver()
    await using runtime = await traced(receiver.url, ['inline', 'broken-throws'])
    expect((await runtime.fetch('/broken-throws')).status).toBe(503)
    expect((await runtime.fetch('/inline/nothing-there')).status).toBe(404)
    await runtime.runtime.close()
    const failed = await receiver.span('of the failure', ({ status }) => status.code === ERROR)
    expect(failed.attributes).toMatchObject({ 'error.type': '503', 'http.response.status_code': 503 })
    expect(failed.events).toMatchObject([{ name: 'exception', attributes: { 'exception.type': 'Error' } }])
    // A client's mistake is no fault of the server.
    const missed = await receiver.span('of the 404', (span) => span.attributes['http.response.status_code'] === 404)
    expect(missed.status.code ?? 0).toBe(0)
  })

  test('of a timer stand alone', async () => {
    await using receiver = await otlpReceiver()
    await using runtime = await traced(receiver.url, ['tick'])
    await runtime.line('a tick', ({ function: name, status }) => name === 'tick' && status === 200)
    await runtime.runtime.close()
    const tick = await receiver.span('of the tick', ({ name }) => name === 'tick')
    expect(tick).toMatchObject({ kind: INTERNAL, attributes: { 'faas.trigger': 'timer' } })
    expect(tick.parentSpanId).toBe(undefined)
    expect(Date.parse(String(tick.attributes['faas.time']))).toBeGreaterThan(0)
  })
})

async function countsOf(runtime: TestRuntime): Promise<Record<string, number>> {
  const text = await (await runtime.fetch('/metrics')).text()
  const counts = text.matchAll(/^trace_spans_total\{outcome="(\w+)"\} (\d+)$/gm)
  return Object.fromEntries([...counts].map(([, outcome, count]) => [outcome!, Number(count)]))
}

describe('a receiver', () => {
  test('that refuses costs no answer, and is told once', async () => {
    await using receiver = await otlpReceiver()
    receiver.status = 400
    await using runtime = await traced(receiver.url, ['inline'])
    for (let i = 0; i < 1_100; i++) expect((await runtime.fetch('/inline/ok')).status).toBe(200)
    await runtime.line('the trouble', ({ msg }) => msg === 'spans cannot be exported')
    await expect.poll(async () => (await countsOf(runtime))['failed']).toBeGreaterThanOrEqual(1_024)
    expect(runtime.lines.filter(({ msg }) => msg === 'spans cannot be exported')).toHaveLength(1)
    expect(Math.max(...receiver.batches)).toBe(512)
  })

  test('that is away has a bounded number of spans waiting, and the end does not wait for it', async () => {
    const port = await freePort()
    await using runtime = await traced(`http://127.0.0.1:${port}`, ['inline'])
    const all = SPANS_MAX + 200
    for (let sent = 0; sent < all; sent += 50) {
      await Promise.all(Array.from({ length: 50 }, async () => await (await runtime.fetch('/inline/ok')).text()))
    }
    const { exported, failed = 0, dropped = 0 } = await countsOf(runtime)
    expect(exported).toBe(0)
    expect(failed + dropped).toBeGreaterThanOrEqual(200)
    await runtime.runtime.close()
  })
})

test('spans that nobody wants take no place of others', async () => {
  await using receiver = await otlpReceiver()
  const spans = await openSpans({ endpoint: receiver.url, service: 'any', version: '1' })
  const fn = { name: 'any', config: { trigger: { type: 'http', routes: [] } } } as unknown as LoadedFunction
  const record = (flags: string): void => {
    const request = new Request('http://any.test/')
    const traceparent = `00-${TRACE}-${PARENT}-${flags}`
    const invocation = new RunningInvocation('any', request, { caller: { kind: 'open' }, traceparent }, logger, metrics)
    spans.record({ fn, invocation, request, parent: undefined, status: 200, ms: 1, err: undefined })
  }
  for (let i = 0; i < SPANS_MAX; i++) record('00')
  record('01')
  await spans.close(20_000)
  expect(receiver.spans).toHaveLength(1)
  expect(spans.counts.spans).toEqual({ exported: 1, failed: 0, dropped: 0 })
})

/** Makes every import of the packages fail, as where they are not installed; of the API prom-client knows too. */
const WITHOUT = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  registerHooks({
    resolve(specifier, context, next) {
      if (/^@opentelemetry.(?!api$)/.test(specifier)) throw new Error('not installed: ' + specifier)
      return next(specifier, context)
    },
  })
`)}`

describe('the packages', () => {
  test('are imported only where they are wanted, and missed by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'revela-otel-'))
    try {
      const env = storageIn(folder)
      const node = ['--import', WITHOUT]
      await using plain = command(['start'], { cwd: folder, env, node })
      await plain.tells(/^API /m)
      await using wanting = command(['start'], {
        cwd: folder,
        env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
        node,
      })
      expect(await wanting.ended).toBe(1)
      expect(wanting.stderr()).toMatch(/OTEL_EXPORTER_OTLP_ENDPOINT: .*not installed/)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
