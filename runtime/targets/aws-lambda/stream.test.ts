/** Streaming, as AWS's own runtime client sends it to Lambda. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough, type Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { taskCreated } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { testCloud } from '../../../test/clouds/cloud.ts'
import { httpEvent, sqsRecord } from '../../../test/clouds/lambda-events.ts'
import { hasRuntimeClient, type LambdaRuntime, lambdaRuntime, type Sent } from '../../../test/clouds/lambda-runtime.ts'
import { awsLambda } from './handler.ts'
import { sendResponse, type StreamingHost } from './stream.ts'

/** Between the head, as JSON, and the body. */
const DELIMITER = Buffer.alloc(8)

async function readAll({ body }: Sent): Promise<Buffer> {
  return Buffer.concat((await body.toArray()) as Buffer[])
}

function split(bytes: Buffer): { head: unknown; body: Buffer } {
  const at = bytes.indexOf(DELIMITER)
  return { head: JSON.parse(bytes.subarray(0, at).toString()), body: bytes.subarray(at + DELIMITER.length) }
}

describe.skipIf(!hasRuntimeClient)('behind a function URL that streams', () => {
  const waiting: ServerResponse[] = []
  const gate = createServer((_request, response) => void waiting.push(response))
  let lambda: LambdaRuntime

  beforeAll(async () => {
    gate.listen(0, '127.0.0.1')
    await once(gate, 'listening')
    const { port } = gate.address() as AddressInfo
    const module = new URL('stream.fixture.ts', import.meta.url)
    lambda = await lambdaRuntime(module, 'stream', { GATE: `http://127.0.0.1:${port}/` })
  })
  afterAll(async () => {
    await lambda[Symbol.asyncDispose]()
    gate.close()
  })

  it('sends what there is before the rest is made, behind the head', async () => {
    const { headers, body } = await lambda.invoke(httpEvent({ path: '/it' }))
    expect(headers['lambda-runtime-function-response-mode']).toBe('streaming')
    expect(headers['content-type']).toBe('application/vnd.awslambda.http-integration-response')
    let bytes = Buffer.alloc(0)
    const reader = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    while (!bytes.includes('first ')) bytes = Buffer.concat([bytes, (await reader.next()).value as Buffer])
    await expect.poll(() => waiting.length).toBe(1)
    waiting.shift()!.end()
    for (let next = await reader.next(); !next.done; next = await reader.next())
      bytes = Buffer.concat([bytes, next.value])
    const { head, body: text } = split(bytes)
    expect(head).toMatchObject({
      statusCode: 203,
      headers: { 'content-type': 'text/plain', 'x-content-type-options': 'nosniff' },
      cookies: ['a=1', 'b=2'],
    })
    expect(text.toString()).toBe('first last')
  })

  it('sends a head alone where there is no body', async () => {
    const { head, body } = split(await readAll(await lambda.invoke(httpEvent({ path: '/empty' }))))
    expect(head).toMatchObject({ statusCode: 204 })
    expect(body).toHaveLength(0)
  })

  it('sends what is larger than one object may be', async () => {
    const { body } = split(await readAll(await lambda.invoke(httpEvent({ path: '/large' }))))
    expect(body).toHaveLength(20_000_000)
  })

  it('tells Lambda when an answer breaks off', async () => {
    const sent = await lambda.invoke(httpEvent({ path: '/broken' }))
    await readAll(sent)
    expect(sent.body.trailers['lambda-runtime-function-error-type']).toBeTruthy()
  })

  it('answers a batch all the same', async () => {
    const record = sqsRecord(taskCreated(newTaskId()))
    const sent = await lambda.invoke({ Records: [record] })
    expect(JSON.parse((await readAll(sent)).toString())).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] })
  })

  it('fails for an event that it does not know', async () => {
    const sent = await lambda.invoke({ action: 'run' })
    const text = (await readAll(sent)).toString()
    const told =
      sent.kind === 'error' ? text : Buffer.from(sent.body.trailers['lambda-runtime-function-error-body']!, 'base64')
    expect(told.toString()).toContain('Expected an HTTP event')
  })
})

describe('streaming', () => {
  it('is not offered where the host cannot stream', async () => {
    expect((await awsLambda(testCloud([]).options)).stream).toBeNull()
    // As the SDK leaves it behind.
    vi.stubGlobal('awslambda', { InvokeStore: {} })
    expect((await awsLambda(testCloud([]).options)).stream).toBeNull()
    vi.unstubAllGlobals()
  })

  it('makes no more than its reader takes', async () => {
    const chunk = new Uint8Array(10_000)
    let made = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        made += chunk.byteLength
        if (made > 100 * chunk.byteLength) controller.close()
        else controller.enqueue(chunk)
      },
    })
    const host = { HttpResponseStream: { from: (stream: Writable) => stream } } as unknown as StreamingHost
    const sink = new PassThrough({ highWaterMark: 2 * chunk.byteLength })
    const sending = sendResponse(host, sink, new Response(body))
    await once(sink, 'readable')
    await setImmediate()
    expect(made).toBeLessThan(10 * chunk.byteLength)
    expect(Buffer.concat((await sink.toArray()) as Buffer[])).toHaveLength(100 * chunk.byteLength)
    await sending
  })
})
