/** `npm run dev`: what a change of the code means to requests, to messages and to the process. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MIB } from '#shared/limits.ts'
import { isAlive } from '../runtime/child.ts'
import { until } from '../runtime/until.ts'
import { sourceServer } from '../scenarios/source-server.ts'
import { openDescriptors } from '../tasks.ts'
import { HTTP_FILES, httpFunction, queueFiles, queueFunction } from './functions.ts'
import { children, LONG_MS, workshop } from './workshop.ts'

const LONG = { timeout: 3 * LONG_MS }

async function text(url: string): Promise<string> {
  return await (await fetch(url)).text()
}

/** A request whose body is not over until `end`. `begun` resolves when the function has it. */
async function openRequest(url: string) {
  const sent = request(url, { method: 'POST', agent: false })
  const response = once(sent, 'response') as Promise<[IncomingMessage]>
  sent.write('a')
  return {
    write: (line: string) => void sent.write(line),
    end: () => sent.end('z'),
    response,
    text: async () => {
      const [answer] = await response
      return (await answer.setEncoding('utf8').toArray()).join('')
    },
  }
}

const begun = async (url: string, count: number): Promise<void> =>
  void (await until(
    `${count} requests run`,
    async () =>
      new RegExp(`^faas_invocations_in_flight\\{function="word"\\} ${count}$`, 'm').test(await text(`${url}/metrics`)),
    LONG_MS,
  ))

describe('a changed function', () => {
  test('is served to the next request, while one under way ends with the old code', LONG, async () => {
    await using shop = await workshop(HTTP_FILES)
    const { url, edit } = shop
    expect(await text(`${url}/word`)).toBe('old part')
    const old = await openRequest(`${url}/word`)
    const stream = await openRequest(`${url}/events`)
    const [events] = await stream.response
    await begun(url, 1)
    await edit('word/index.ts', httpFunction('new'))
    expect(await text(`${url}/word`)).toBe('new part')
    // A file beside it, which only its own import knows.
    await edit('word/part.ts', "export const part = 'whole'")
    expect(await text(`${url}/word`)).toBe('new whole')
    stream.write('more')
    stream.end()
    old.end()
    expect(await old.text()).toBe('old az')
    expect((await events.setEncoding('utf8').toArray()).join('')).toMatch(/^data: old a\n\n[^]*z\n\n$/)
    await until('the old container is gone', async () => (await children()) === 1, LONG_MS)
  })

  test(
    'that no longer loads answers 500, is named with its reason, and is served again when mended',
    LONG,
    async () => {
      await using shop = await workshop({
        ...HTTP_FILES,
        'other/config.ts': "export default { trigger: { type: 'http', routes: ['GET /other'] }, timeoutMs: 60_000 }",
        'other/index.ts':
          "import { createApp } from '#shared/http.ts'\nexport default createApp().get('/other', (c) => c.text('other'))",
      })
      const { url, edit, readiness, lines } = shop
      // The reason of each is another, and none is left of the one before.
      for (const [code, reason] of [
        ['export default {}', /must export a Hono app/],
        ["import './none.ts'\nexport default {}", /none\.ts/],
        ["throw new Error('thrown while loading')", /thrown while loading/],
        ['const = 1', /index\.ts:1: Unexpected token/],
        ['process.exit(3)', /ended while it was starting/],
      ] as const) {
        await edit('word/index.ts', code, 'function is broken')
        const response = await fetch(`${url}/word`)
        expect(await response.json()).toMatchObject({ code: 'unavailable' })
        expect(response.headers.get('content-type')).toBe('application/problem+json')
        expect(await readiness()).toMatchObject({
          status: 'degraded',
          broken: [{ name: 'word', error: expect.stringMatching(reason) }],
        })
        expect(lines.findLast(({ msg }) => msg === 'function is broken')).toMatchObject({
          function: 'word',
          reason: expect.stringMatching(reason),
        })
        expect(await text(`${url}/other`)).toBe('other')
      }
      await edit('word/index.ts', httpFunction('mended'))
      expect(await text(`${url}/word`)).toBe('mended part')
      expect(await readiness()).toMatchObject({ status: 'ready', broken: [] })
    },
  )

  test('that never ends loading is let go when it is mended', LONG, async () => {
    await using shop = await workshop(HTTP_FILES)
    const { folder, url, write, edit, readiness } = shop
    const loading = join(folder, 'loading')
    const hanging = `import { writeFileSync } from 'node:fs'
writeFileSync(${JSON.stringify(loading)}, String(process.pid))
await new Promise((resolve) => setInterval(resolve, 1e9))`
    await write('word/index.ts', hanging)
    const pid = Number(await until('it loads', () => existsSync(loading) && readFileSync(loading, 'utf8'), LONG_MS))
    const waiting = text(`${url}/word`)
    await edit('word/index.ts', httpFunction('mended'))
    // Ended before its successor was started.
    expect(isAlive(pid)).toBe(false)
    expect(await waiting).toBe('mended part')
    expect(await readiness()).toMatchObject({ status: 'ready', broken: [] })
  })

  test('mends no config: what is wrong with one stays, and that a restart reads it is said', LONG, async () => {
    const { 'word/index.ts': index = '' } = HTTP_FILES
    const timer = { type: 'timer', cron: 'every day' }
    await using shop = await workshop({
      ...HTTP_FILES,
      'tick/config.ts': `export default ${JSON.stringify({ trigger: timer, timeoutMs: 60_000 })}`,
      'tick/index.ts':
        "import { createApp } from '#shared/http.ts'\nexport default createApp().post('/', (c) => c.text(''))",
    })
    const { readiness, write } = shop
    const said = async (name: string) =>
      await shop.line(`${name} is told`, ({ msg, function: fn }) => fn === name && String(msg).includes('restart'))
    const broken = [{ name: 'tick', error: expect.stringMatching(/^config\.ts: trigger\.cron: /) }]
    expect(await readiness()).toMatchObject({ status: 'degraded', broken })
    await write('tick/index.ts', index)
    await said('tick')
    expect(await readiness()).toMatchObject({ status: 'degraded', broken })
    await write('word/config.ts', HTTP_FILES['word/config.ts']!.replace('60_000', '30_000'))
    await said('word')
  })

  test('shows in the OpenAPI document', LONG, async () => {
    await using shop = await workshop(HTTP_FILES)
    const described = async (): Promise<unknown> => {
      const document = (await (await fetch(`${shop.url}/openapi.json`)).json()) as Record<string, never>
      return document['paths']!['/word']['get']['responses']['200']['description']
    }
    expect(await described()).toBe('The word old.')
    await shop.edit('word/index.ts', httpFunction('new'))
    expect(await described()).toBe('The word new.')
  })

  test('twenty times leaves no process and no descriptor behind', { timeout: 6 * LONG_MS }, async () => {
    await using shop = await workshop(HTTP_FILES)
    await shop.edit('word/index.ts', httpFunction('first'))
    expect(await text(`${shop.url}/word`)).toBe('first part')
    await until('one container', async () => (await children()) === 1, LONG_MS)
    const before = openDescriptors()
    for (let i = 0; i < 20; i++) {
      await shop.edit('word/index.ts', httpFunction(`word${i}`))
      expect(await text(`${shop.url}/word`)).toBe(`word${i} part`)
    }
    await until('one container', async () => (await children()) === 1, LONG_MS)
    await until('no more descriptors than before', () => openDescriptors() <= before, LONG_MS)
  })
})

describe('a container of `npm run dev`', () => {
  test('serves several requests at once', LONG, async () => {
    await using shop = await workshop(HTTP_FILES)
    const open = await Promise.all(Array.from({ length: 5 }, async () => await openRequest(`${shop.url}/word`)))
    await begun(shop.url, 5)
    expect(await text(`${shop.url}/word`)).toBe('old part')
    for (const { end } of open) end()
    for (const one of open) expect(await one.text()).toBe('old az')
    expect(await children()).toBe(1)
  })

  test('takes an upload of some megabytes, and sends events as they come', LONG, async () => {
    await using shop = await workshop(HTTP_FILES)
    const bytes = Buffer.alloc(24 * MIB, 'some bytes')
    const response = await fetch(`${shop.url}/hash`, { method: 'POST', body: bytes })
    expect(await response.text()).toBe(createHash('sha256').update(bytes).digest('hex'))
    const stream = await openRequest(`${shop.url}/events`)
    const [events] = await stream.response
    expect(String((await once(events, 'data'))[0])).toBe('data: old a\n\n')
    stream.write('b')
    expect(String((await once(events, 'data'))[0])).toBe('data: old b\n\n')
    stream.end()
    await once(events.resume(), 'end')
  })
})

describe.each(['inline', 'process'] as const)('a queue function (%s)', (isolation) => {
  test('is replaced, and the message that is worked on is not lost', LONG, async () => {
    await using source = await sourceServer()
    await using shop = await workshop(queueFiles(isolation), { ALLOW_HOSTS: '127.0.0.1' })
    const { bindings, edit } = shop
    const send = async (id: string, url: string): Promise<void> => {
      const time = new Date().toISOString()
      await bindings.queue.send({ queue: 'work', id, type: 'test', subject: id, time, data: { url } })
    }
    const first = source.held('/first', new Uint8Array())
    await send('message.first', first.url)
    await first.asked
    await send('message.second', source.file('/second', new Uint8Array()))
    await edit('work/index.ts', queueFunction('new'))
    first.release()
    const written = async (id: string): Promise<string> =>
      await until(`${id} is done`, async () => await bindings.tasks.readCursor(id), LONG_MS)
    expect(await written('message.first')).toBe('old')
    expect(await written('message.second')).toBe('new')
    expect([source.visits('/first'), source.visits('/second')]).toEqual([1, 1])
    await until('the queue is empty', async () => {
      const { waiting, active, delayed, dead } = await bindings.queue.stats('work')
      return waiting + active + delayed + dead === 0
    })
  })
})
