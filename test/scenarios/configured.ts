/** What an operator can set: presets, limits, expiry, origins, no negotiation, a rate limit. */
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { animation, picture } from '../pictures.ts'
import { answerOf, problemOf, taskOf, WAIT } from './client.ts'
import { padded } from './files.ts'
import { beginUpload } from './raw-request.ts'
import { closedPort } from './source-server.ts'
import { running } from './running.ts'
import type { Target } from './target.ts'

const BYTES_MAX = 200_000
const PIXELS_MAX = 2_000_000
const COST_MAX = 1_000_000
const TTL_DAYS = 3

export function configured(target: Target): void {
  describe('configured', () => {
    const place = running(target, {
      VARIANTS: 'thumb=200x200:cover,wide=600x',
      INPUT_BYTES_MAX: String(BYTES_MAX),
      INPUT_PIXELS_MAX: String(PIXELS_MAX),
      OUTPUT_COST_MAX: String(COST_MAX),
      TASK_TTL_DAYS: String(TTL_DAYS),
      NEGOTIATE: 'off',
      CORS_ORIGINS: 'https://app.example',
      API_KEY: '',
      SERVER_HOST: '0.0.0.0',
    })
    const flat = async (width: number, height: number): Promise<Buffer> =>
      await sharp({ create: { width, height, channels: 3, background: '#a08060' } })
        .png()
        .toBuffer()

    it('VARIANTS: a name stands for its box, alone or among boxes', async () => {
      const task = await place.api.completed(await picture(), { variants: 'thumb,wide,100x' })
      expect(task.variants).toMatchObject([
        { name: 'thumb', width: 200, height: 200, href: `/tasks/${task.id}/variants/thumb` },
        { name: 'wide', width: 600, height: 450 },
        { name: '100x', width: 100, height: 75 },
      ])
      expect((await place.api.fetch(task.variants[0]!.href)).status).toBe(200)
      const { answer, detail } = await problemOf(await place.api.upload(await picture(), { variants: 'thumbs' }))
      expect([answer, detail]).toEqual(['400 invalid-request', expect.stringContaining('thumb, wide')])
    })

    it('TASK_TTL_DAYS: expiresAt counts from the end of the task, and caches are told', async () => {
      const task = await place.api.completed(await picture(), { variants: '10x' })
      const days = (Date.parse(task.expiresAt!) - Date.parse(task.completedAt!)) / 86_400_000
      expect(days).toBeCloseTo(TTL_DAYS, 3)
      const { headers } = await place.api.fetch(task.variants[0]!.href)
      const age = Number(/max-age=(\d+)/.exec(headers.get('cache-control')!)?.[1])
      expect(Math.abs(age - TTL_DAYS * 86_400)).toBeLessThan(60)
    })

    it('NEGOTIATE=off: Accept is not looked at and there is no Vary; ?format still is', async () => {
      const { variants } = await place.api.completed(await picture(), { variants: '50x' })
      const { headers } = await place.api.fetch(variants[0]!.href, { headers: { accept: 'image/webp' } })
      expect(headers.get('content-type')).toBe('image/jpeg')
      expect(headers.get('vary') ?? '').not.toContain('Accept')
      const webp = async (): Promise<number> => (await place.api.fetch(`${variants[0]!.href}?format=webp`)).status
      await expect.poll(webp, { timeout: 20_000 }).toBe(200)
    })

    it('CORS_ORIGINS: those origins and no other', async () => {
      const allowed = async (origin: string): Promise<string | null> =>
        (await place.api.fetch('/tasks?limit=1', { headers: { origin } })).headers.get('access-control-allow-origin')
      expect(await allowed('https://app.example')).toBe('https://app.example')
      expect(await allowed('https://app.example.evil')).toBeNull()
      expect(await allowed('http://localhost:5173')).toBeNull()
    })

    it('CORS_ORIGINS: a page of one may send a file to the link of an upload, and complete it', async () => {
      const ask = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }
      const path = `/uploads/${newTaskId()}`
      const { headers, status } = await place.api.fetch(path, { method: 'OPTIONS', headers: ask })
      expect([status, headers.get('access-control-allow-origin')]).toEqual([204, ask.origin])
      expect(headers.get('access-control-allow-methods')?.split(', ')).toEqual(
        expect.arrayContaining(['PUT', 'POST', 'OPTIONS']),
      )
    })

    describe('INPUT_BYTES_MAX', () => {
      let exact: Buffer
      let over: Buffer
      beforeAll(async () => {
        const cat = await picture({ width: 300, height: 200 })
        exact = padded(cat, BYTES_MAX)
        over = padded(cat, BYTES_MAX + 1)
      })
      const originals = async (): Promise<string[]> =>
        (await place.runtime.files()).filter((file) => file.startsWith('input/'))

      it('the last byte that is allowed', async () => {
        for (const response of [await place.api.upload(exact, {}, WAIT), await place.api.raw(exact, {}, WAIT)])
          expect(await taskOf(response)).toMatchObject({ status: 'completed', source: { bytes: BYTES_MAX } })
      })

      it('a byte more is 413 and leaves nothing: form, raw, and in chunks without a length', async () => {
        const before = await originals()
        expect(await answerOf(await place.api.upload(over))).toBe('413 too-large')
        expect(await answerOf(await place.api.raw(over))).toBe('413 too-large')
        const chunked = await beginUpload(place.api.url, {
          'content-type': 'image/jpeg',
          'transfer-encoding': 'chunked',
        })
        for (let at = 0; at < over.length; at += 50_000) chunked.write(over.subarray(at, at + 50_000))
        chunked.end()
        const { status, body } = await chunked.answer
        expect([status, body.code, body.detail]).toEqual([413, 'too-large', expect.stringContaining(`${BYTES_MAX}`)])
        expect(await originals()).toEqual(before)
      })

      it('fields that are too large are 413', async () => {
        const cat = await picture({ width: 60, height: 40 })
        expect(await answerOf(await place.api.upload(cat, { background: 'a'.repeat(70_000) }))).toBe('413 too-large')
        expect(await answerOf(await place.api.json({ url: 'a'.repeat(70_000) }))).toBe('413 too-large')
      })
    })

    it('INPUT_PIXELS_MAX counts the first frame', async () => {
      expect((await place.api.upload(await flat(2_000, 1_000))).status).toBe(202)
      expect(await answerOf(await place.api.upload(await flat(2_001, 1_000)))).toBe('422 image-too-many-pixels')
      const frames = await animation(3, 'gif', 1_000, 900)
      expect(await taskOf(await place.api.upload(frames, { variants: '10x' }, WAIT))).toMatchObject({
        status: 'completed',
      })
    })

    it('OUTPUT_COST_MAX counts what comes out, an AVIF eight times', async () => {
      const square = await flat(1_000, 1_000)
      const ask = async (options: Record<string, string>): Promise<Response> => await place.api.upload(square, options)
      expect((await ask({ variants: '8000x8000' })).status).toBe(202)
      expect(await answerOf(await ask({ variants: '1000x1000,1x1' }))).toBe('422 output-too-costly')
      expect((await ask({ variants: '353x353', format: 'avif' })).status).toBe(202)
      expect(await answerOf(await ask({ variants: '354x354', format: 'avif' }))).toBe('422 output-too-costly')
      const { id } = await taskOf(await ask({ variants: '10x' }))
      const again = await place.api.json({ taskId: id, variants: ['1000x', '1001x'] })
      expect(await answerOf(again)).toBe('422 output-too-costly')
    })
  })

  describe('rate limited', () => {
    let metricsPort: number
    const place = running(target, async () => {
      metricsPort = await closedPort()
      return { RATE_LIMIT: '3/1h', API_KEY: 'key-of-the-scenarios', METRICS_PORT: String(metricsPort) }
    })

    it('METRICS_PORT: the metrics, without a key, and nothing else', async () => {
      const there = place.api.url.replace(/:\d+$/, `:${metricsPort}`)
      const metrics = await fetch(`${there}/metrics`)
      expect([metrics.status, await metrics.text()]).toEqual([200, expect.stringContaining('faas_invocations_total')])
      expect((await fetch(`${there}/tasks`)).status).toBe(404)
    })

    it('RATE_LIMIT: 429 with Retry-After and RateLimit headers; health is not counted', async () => {
      const left: (string | null)[] = []
      for (let index = 0; index < 3; index++) {
        const response = await place.api.fetch('/tasks')
        expect(response.status).toBe(200)
        left.push(response.headers.get('ratelimit'))
      }
      expect(left.map((header) => /r=(\d+)/.exec(header ?? '')?.[1])).toEqual(['2', '1', '0'])
      const refused = await place.api.upload(await picture({ width: 60, height: 40 }))
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_000)
      expect(refused.headers.get('ratelimit-policy')).toContain('q=3')
      expect(await answerOf(refused)).toBe('429 too-many-requests')
      expect((await place.api.fetch('/healthz')).status).toBe(200)
      expect((await place.api.fetch('/readyz')).status).toBe(200)
    })
  })
}
