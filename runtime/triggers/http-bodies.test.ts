/** Bodies that nobody reads to their end: what they hold open is let go. */
import { readdirSync, readlinkSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createApp } from '#shared/http.ts'
import { originalKey } from '#shared/variant.ts'
import { type Edge, startEdge } from '../../test/runtime/http-edge.ts'
import { until } from '../../test/runtime/until.ts'

const MIB = 1024 * 1024
/** More than the kernel keeps for a reader that stopped. */
const LARGE = 64 * MIB
const ID = '01999999-9999-7999-8999-999999999999'

/** One stored file, endless bodies, an event stream, and one that is never answered. */
async function start(options: { bodyIdleMs?: number; streamsMax?: number } = {}) {
  const app = createApp()
  const key = originalKey(ID, 'jpeg')
  app.get('/it/file', async (c) =>
    c.body((await c.env.blobs.get(key))!.body as ReadableStream<Uint8Array<ArrayBuffer>>),
  )
  app.get('/it/unwilling', () => {
    const body = new ReadableStream({ cancel: () => Promise.reject(new Error('died')) })
    return new Response(body, { headers: { 'X-Own': 'there' } })
  })
  app.get('/it/never', async () => await new Promise<never>(() => undefined))
  app.get('/it/slow', async (c) => {
    await setTimeout(20 * 20)
    return c.text('at last')
  })
  app.get('/it/events', (c) => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(': hello\n\n')),
    })
    return c.body(body, 200, { 'Content-Type': 'text/event-stream' })
  })
  const edge = await startEdge(app, { timeoutMs: 60_000, ...options })
  await edge.it.bindings.blobs.put(key, Buffer.alloc(1))
  const file = await open(join(edge.it.bindings.folder, key), 'w')
  await file.truncate(LARGE)
  await file.close()
  return edge
}

/** Those of the files that are served here which this process has open: connections come and go. */
function openFiles(): string[] {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return targets.filter((target) => /original\.jpg|swagger-ui/.test(target))
}

/** A connection that asks, and reads nothing of what is answered. */
async function askAndStop({ url }: Edge, ...paths: string[]): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  const lines = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await new Promise<void>((resolve) => socket.write(lines.join(''), () => resolve()))
  return socket
}

test('a reader that stops is cut off, and its file closed', async () => {
  await using edge = await start({ bodyIdleMs: 100 })
  const socket = await askAndStop(edge, '/it/file')
  await until('the file is open', () => openFiles().length === 1)
  expect(await until('the file is closed', () => openFiles().length === 0)).toBe(true)
  socket.destroy()
})

test('a reader that stops is cut off though it has asked for more behind it', async () => {
  await using edge = await start({ bodyIdleMs: 100 })
  const socket = await askAndStop(edge, '/it/file', '/it/never')
  await until('both run', () => edge.it.fn.running === 1 && openFiles().length === 1)
  expect(await until('the file is closed', () => openFiles().length === 0)).toBe(true)
  socket.destroy()
})

test('a function that takes its time is not cut off', async () => {
  await using edge = await start({ bodyIdleMs: 20 })
  expect((await edge.fetch('/it/slow')).status).toBe(200)
})

test('200 readers that leave, and 200 HEADs, leave no descriptor', async () => {
  await using edge = await start()
  for (let round = 0; round < 10; round++) {
    const leave = async (): Promise<void> => {
      const leaving = new AbortController()
      const response = await edge.fetch('/it/file', { signal: leaving.signal })
      await response.body!.getReader().read()
      leaving.abort()
    }
    await Promise.all(Array.from({ length: 20 }, leave))
    for (const path of ['/it/file', '/docs/swagger-ui-bundle.js']) {
      const heads = Array.from({ length: 10 }, async () => await edge.fetch(path, { method: 'HEAD' }))
      for (const head of await Promise.all(heads)) expect([head.status, await head.text()]).toEqual([200, ''])
    }
  }
  await until('no file is open', () => openFiles().length === 0)
})

test('a HEAD is answered also where the body of its GET cannot be let go', async () => {
  await using edge = await start()
  const head = await edge.fetch('/it/unwilling', { method: 'HEAD' })
  expect([head.status, head.headers.get('x-own'), edge.errors]).toEqual([200, 'there', []])
})

test('event streams are bounded, and a place is free again when a reader leaves', async () => {
  await using edge = await start({ streamsMax: 2 })
  // As media types are: in whatever case.
  const headers = { accept: 'Text/Event-Stream' }
  const leaving = new AbortController()
  const streams = [
    await edge.fetch('/it/events', { headers, signal: leaving.signal }),
    await edge.fetch('/it/events', { headers }),
  ]
  expect(streams.map(({ status }) => status)).toEqual([200, 200])
  const refused = await edge.fetch('/it/events', { headers })
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
    503,
    '1',
    expect.objectContaining({ code: 'unavailable', detail: expect.stringContaining('2 event streams') }),
  ])
  leaving.abort()
  await until('there is a place', async () => {
    const next = await edge.fetch('/it/events', { headers })
    if (next.status === 503) await next.body?.cancel()
    return next.status === 200
  })
})
