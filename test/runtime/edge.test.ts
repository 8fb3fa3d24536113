/** What the HTTP edge does with functions, over real sockets; the API's own rules are in test/scenarios. */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestRuntime, type TestRuntime } from './runtime.ts'
import { until } from './until.ts'

/** Where files lie, stack traces, and what the fixtures throw. */
const HIDDEN = new RegExp(`secret|node_modules|file:|${import.meta.dirname.split('/', 2).join('/')}/|\\bat \\S+ \\(`)
const BROKEN = ['broken-throws', 'broken-missing', 'broken-import', 'nowhere']

/** A raw connection: what was received so far, and when it ended. */
function dial({ runtime }: TestRuntime): { socket: Socket; text: () => string; ended: Promise<void> } {
  const socket = connect(runtime.port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => undefined)
  return { socket, text: () => text, ended }
}

describe('the edge', () => {
  let server: TestRuntime
  beforeAll(async () => {
    server = await startTestRuntime({ names: ['inline', 'probe', 'work', ...BROKEN] })
  })
  afterAll(async () => await server[Symbol.asyncDispose]())

  const openBodies = async (): Promise<unknown> => await (await server.fetch('/inline/open')).json()

  it('routes to functions, inline and in containers', async () => {
    expect(await (await server.fetch('/inline/ok')).text()).toBe('ok')
    expect(await (await server.fetch('/probe/ok')).text()).toBe('ok')
    expect((await server.fetch('/inline/ok', { method: 'DELETE' })).status).toBe(204)
    const refused = await server.fetch('/inline/ok', { method: 'PATCH' })
    expect([refused.status, refused.headers.get('allow')?.split(', ').toSorted()]).toEqual([
      405,
      ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST'],
    ])
    for (const path of ['/', '/inline', '/inline/ok/more', '/INLINE/ok']) {
      expect((await server.fetch(path)).status).toBe(404)
    }
  })

  it('lets the body of a HEAD go, though the function answers it as a GET', async () => {
    for (let i = 0; i < 20; i++) {
      const response = await server.fetch('/inline/body', { method: 'HEAD' })
      expect([response.status, await response.text()]).toEqual([200, ''])
    }
    await until('no body is open', async () => (await openBodies()) === 0)
  })

  it('lets the body go of a reader that leaves, or that came and went before it was answered', async () => {
    for (let i = 0; i < 10; i++) {
      const response = await server.fetch('/inline/body')
      await response.body!.cancel()
      const leaving = new AbortController()
      const gone = server.fetch('/inline/body', { signal: leaving.signal }).catch(() => undefined)
      setImmediate(() => leaving.abort())
      await gone
    }
    expect(await until('no body is open', async () => (await openBodies()) === 0)).toBe(true)
  })

  it('tells a function that its client is gone', async () => {
    const leaving = new AbortController()
    const call = server.fetch('/inline/gone', { signal: leaving.signal }).catch(() => undefined)
    await server.line('it waits', ({ msg }) => msg === 'waiting for the end of the client')
    leaving.abort()
    await call
    expect(await server.line('it hears', ({ msg }) => msg === 'the client is gone')).toBeTruthy()
  })

  it.each([
    '/inline/throw',
    '/inline/hang',
    '/inline/broken-at-once',
    '/inline/broken-plain',
    '/inline/broken-touched',
    '/inline/nothing',
    '/probe/throw',
    '/probe/exit',
    '/readyz',
    '/docs/..%2f..%2fpackage.json',
    '/problems/constructor',
  ])('says nothing of where or why in %s', async (path) => {
    const response = await server.fetch(path).catch((error: Error) => error)
    // A connection that is cut says nothing either.
    const text =
      response instanceof Error ? '' : JSON.stringify([...response.headers]) + (await response.text().catch(() => ''))
    expect(text).not.toMatch(HIDDEN)
    expect((await server.fetch('/inline/ok')).status).toBe(200)
  })

  it('cuts an answer off whose body breaks after it began', async () => {
    const response = await server.fetch('/inline/broken-later')
    await expect(response.text()).rejects.toThrow(/terminated|closed|reset/i)
  })

  it('names its broken functions in /readyz and the log, and still serves', async () => {
    const response = await server.fetch('/readyz')
    const body = (await response.json()) as { status: string; broken: { name: string; error: string }[] }
    expect([response.status, body.status]).toEqual([200, 'degraded'])
    expect(body.broken.map(({ name }) => name).toSorted()).toEqual(BROKEN.toSorted())
    expect(body.broken.find(({ name }) => name === 'broken-throws')?.error).toBe('it throws when it is loaded')
    for (const name of BROKEN) {
      expect(
        await server.line(name, (line) => line.msg === 'function is broken' && line.function === name),
      ).toBeTruthy()
    }
    expect(await (await server.fetch('/inline/ok')).text()).toBe('ok')
    expect((await server.fetch('/broken-throws')).status).toBe(503)
  })

  it('carries a trace from the request over the message to the lines of the queue function, and back', async () => {
    const trace = 'abcdefabcdefabcdefabcdefabcdef12'
    const traceparent = `00-${trace}-1234567812345678-01`
    const response = await server.fetch('/inline/send', { method: 'POST', body: '{}', headers: { traceparent } })
    expect(response.headers.get('traceparent')).toMatch(new RegExp(`^00-${trace}-(?!1234567812345678)[0-9a-f]{16}-01$`))
    const { subject } = (await response.json()) as { subject: string }
    const worked = await server.line('the work', (line) => line.msg === 'worked')
    expect(worked).toMatchObject({ function: 'work', trace, task: subject, attempt: 1 })
    const own = await server.line('its own', ({ msg, function: name }) => msg === 'invocation' && name === 'work')
    expect(own).toMatchObject({ trace, task: subject, status: 204 })
    expect(own.ms).toBeGreaterThan(0)
  })

  it.each([
    '00-00000000000000000000000000000000-1234567812345678-01',
    'junk',
    '01-abcdefabcdefabcdefabcdefabcdef12-1-01',
  ])('makes a trace of its own in place of %s', async (traceparent) => {
    const made = (await server.fetch('/inline/ok', { headers: { traceparent } })).headers.get('traceparent')
    expect(made).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(made).not.toContain(traceparent.slice(3, 35))
  })

  it('answers an upload that stops with 408, and one that goes on slowly with 200', async () => {
    const head = 'POST /inline/count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n'
    const stalled = dial(server)
    stalled.socket.write(`${head}12345`)
    const slow = dial(server)
    slow.socket.write(head)
    // The function's timeout is a second: each byte comes within it, all of them do not.
    for (let i = 0; i < 10; i++) {
      slow.socket.write('x')
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    await until('the slow one is answered', () => slow.text().includes('\r\n\r\n10'))
    expect(slow.text()).toMatch(/^HTTP\/1\.1 200 /)
    await stalled.ended
    expect(stalled.text()).toMatch(/^HTTP\/1\.1 408 [^]*connection: close[^]*"code":"request-timeout"/i)
    slow.socket.destroy()
  })

  it('counts what it did, under names that the conventions know', async () => {
    const lines = (await (await server.fetch('/metrics')).text()).split('\n')
    for (const name of [
      'faas_invocations_total{function="inline",trigger="http",status="200"}',
      'faas_invoke_duration_seconds_bucket{le="0.001",function="inline"}',
      'faas_errors_total{function="inline"}',
      'faas_timeouts_total{function="inline"}',
      'faas_coldstarts_total{function="probe"}',
      'faas_invocations_in_flight{function="inline"} 0',
      'queue_messages{queue="work",state="waiting"} 0',
      'queue_oldest_message_seconds{queue="work"} 0',
      'queue_verdicts_total{queue="work",verdict="ack"} 1',
      'containers{function="probe"}',
      'process_cpu_seconds_total',
    ])
      expect(name + (lines.some((line) => line.startsWith(name)) ? ' is there' : ' is not')).toBe(`${name} is there`)
  })
})

describe('the edge with a key', () => {
  it('asks for it at /metrics, and opens functions with it alone', async () => {
    await using server = await startTestRuntime({ names: ['inline'], env: { API_KEY: 'key-of-test' } })
    const headers = { 'X-API-Key': 'key-of-test' }
    for (const path of ['/metrics', '/inline/ok']) {
      const refused = await server.fetch(path)
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="revela"'])
      expect((await server.fetch(path, { headers })).status).toBe(200)
    }
    expect((await server.fetch('/readyz')).status).toBe(200)
  })
})
