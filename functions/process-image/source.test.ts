import { createHash } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Problem } from '#shared/errors.ts'
import { CHECK_MARGIN_MS } from '#shared/limits.ts'
import { MAGIC_BYTES } from '#shared/magic.ts'
import { originalKey } from '#shared/variant.ts'
import { undiciFetch } from '../../runtime/drivers/fetch/undici.ts'
import { testBindings, testSettings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { createTask, deliver, withInvocation } from './deliveries.fixture.ts'

// Longer than what is sniffed.
const png = await picture({ width: 900, height: 600, format: 'png' })

async function site(listener: RequestListener) {
  const server = createServer(listener)
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/picture.jpg`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      await closed.promise
    },
  }
}

async function urlBindings(allowHosts = ['127.0.0.1']) {
  const fetch = undiciFetch({ allowHosts })
  const env = await testBindings({ fetch, settings: testSettings({ inputBytesMax: 20_000 }) })
  return {
    ...env,
    [Symbol.asyncDispose]: async () => {
      await fetch.close()
      await env[Symbol.asyncDispose]()
    },
  }
}

const urlTask = async (env: Awaited<ReturnType<typeof urlBindings>>, url: string) =>
  await createTask(env, { source: { kind: 'url', filename: null, url } })

describe('the image behind a URL', () => {
  test('is stored once, under the type that its bytes say, and made into variants', async () => {
    const seen: string[] = []
    await using web = await site((request, response) => {
      seen.push(request.url!)
      response.writeHead(200, { 'content-type': 'image/jpeg' }).end(png)
    })
    await using env = await urlBindings()
    const { id } = await urlTask(env, web.url)
    expect(await deliver(env, { subject: id })).toMatchObject({ status: 200, body: { outcome: 'completed' } })
    const sha256 = createHash('sha256').update(png).digest('hex')
    const { source } = (await env.tasks.get(id))!
    expect(source).toMatchObject({ kind: 'url', url: web.url, key: originalKey(id, 'png'), mediaType: 'image/png' })
    expect(source).toMatchObject({ bytes: png.length, sha256, width: 900, height: 600, frames: 1 })
    expect(seen).toEqual(['/picture.jpg'])
  })

  test('is not fetched again by the next attempt', async () => {
    let requests = 0
    await using web = await site((_request, response) => {
      requests++
      response.end(png)
    })
    await using env = await urlBindings()
    const { id } = await urlTask(env, web.url)
    const killed = async (): Promise<never> => {
      throw new Error('killed')
    }
    expect((await deliver({ ...env, blobs: { ...env.blobs, asFile: killed } }, { subject: id })).status).toBe(500)
    expect((await deliver(withInvocation(env, { attempt: 2 }), { subject: id })).body.outcome).toBe('completed')
    expect(requests).toBe(1)
  })

  const answers: Array<[code: string, message: RegExp, answer: RequestListener]> = [
    ['unsupported-image', /text\. Accepted are JPEG, PNG/, (_, response) => response.end('plain words')],
    ['unsupported-image', /empty/, (_, response) => response.end()],
    ['unsupported-image', /empty/, (_, response) => response.writeHead(204).end()],
    ['too-large', /20000 bytes/, (_, response) => response.writeHead(200, { 'content-length': 20_001 }).flushHeaders()],
    ['too-large', /20000 bytes/, (_, response) => response.writeHead(200).end(Buffer.concat([png], 20_001))],
    ['source-unreachable', /status 404/, (_, response) => response.writeHead(404).end(png)],
  ]
  test.each(answers)('ends the task, and nothing is stored: %s %s', async (code, message, answer) => {
    await using web = await site(answer)
    await using env = await urlBindings()
    const { id } = await urlTask(env, web.url)
    expect(await deliver(env, { subject: id })).toMatchObject({ status: 200, body: { outcome: 'failed' } })
    const { error } = (await env.tasks.get(id))!
    expect(error?.code).toBe(code)
    expect(error?.message).toMatch(message)
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test('ends the task when it arrived damaged', async () => {
    await using web = await site((_request, response) => response.end(png.subarray(0, png.length / 2)))
    await using env = await urlBindings()
    const { id } = await urlTask(env, web.url)
    expect((await deliver(env, { subject: id })).body.outcome).toBe('failed')
    expect((await env.tasks.get(id))!.error!.code).toBe('image-corrupt')
  })

  test('of exactly the limit is taken', async () => {
    await using web = await site((_request, response) => {
      response.end(Buffer.concat([png], 20_000))
    })
    await using env = await urlBindings()
    const { id } = await urlTask(env, web.url)
    await deliver(env, { subject: id })
    expect(await env.tasks.get(id)).toMatchObject({ status: 'completed', source: { bytes: 20_000 } })
  })

  test('is not looked for where it may not be', async () => {
    await using web = await site((_request, response) => response.end(png))
    await using env = await urlBindings([])
    const { id } = await urlTask(env, web.url)
    expect((await deliver(env, { subject: id })).status).toBe(200)
    expect((await env.tasks.get(id))!.error!.code).toBe('url-not-allowed')
  })
})

describe('another try', () => {
  test('where the answer says so, no sooner than it asks', async () => {
    await using web = await site((_request, response) => response.writeHead(503, { 'retry-after': '120' }).end())
    await using env = await urlBindings()
    const { id } = await urlTask(env, web.url)
    const now = Date.now()
    const { status, headers } = await deliver(env, { subject: id })
    expect([status, headers.get('retry-after')]).toEqual([503, '120'])
    const task = (await env.tasks.get(id))!
    expect(task.lastError?.code).toBe('source-unreachable')
    expect(task.nextCheckAt).toBeGreaterThanOrEqual(now + 120_000 + CHECK_MARGIN_MS)
    const last = withInvocation(env, { attempt: 5 })
    expect((await deliver(last, { subject: id })).body.outcome).toBe('failed')
    expect((await env.tasks.get(id))!.error).toEqual(task.lastError)
  })

  test('where nobody listens, or the connection breaks in the middle', async () => {
    const gone = await site(() => {})
    await gone[Symbol.asyncDispose]()
    await using web = await site((_request, response) => {
      response.writeHead(200, { 'content-length': png.length })
      response.write(png.subarray(0, MAGIC_BYTES + 100), () => response.destroy())
    })
    await using env = await urlBindings()
    for (const url of [gone.url, web.url]) {
      const { id } = await urlTask(env, url)
      const { status, headers } = await deliver(env, { subject: id })
      expect([status, headers.get('retry-after')]).toEqual([503, null])
      expect((await env.tasks.get(id))!.lastError!.code).toBe('source-unreachable')
    }
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test('where it is too slow', async () => {
    await using env = await urlBindings()
    const slow = async (): Promise<never> => {
      throw new Problem('source-timeout', 'example.com did not answer in time.')
    }
    const { id } = await urlTask(env, 'http://example.com/')
    expect((await deliver({ ...env, fetch: { ...env.fetch, request: slow } }, { subject: id })).status).toBe(503)
    expect((await env.tasks.get(id))!.lastError!.code).toBe('source-timeout')
  })
})
