/** Uploads by link: asked for with a key, sent to the store or to us, and completed into a task. */
import { beforeAll, describe, expect, it } from 'vitest'
import { INPUT_BYTES_MAX } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { picture } from '../pictures.ts'
import { answerOf, bodyOf, type Client, clientOf, type Options, problemOf, taskOf, WAIT } from './client.ts'
import { expectBands } from '../pixels.ts'
import { signed } from './keys.ts'
import type { Place } from './running.ts'

interface Upload {
  id: string
  uploadUrl: string
  method: string
  headers: Options
  completeUrl: string
  bytes: number
  expiresAt: string
}

const AS_BYTES = { 'content-type': 'application/octet-stream' }
const JSON_TYPE = { 'content-type': 'application/json' }

async function ask(api: Client, members: unknown): Promise<Response> {
  return await api.fetch('/uploads', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(members) })
}

async function asked(api: Client, members: Record<string, unknown>): Promise<Upload> {
  const response = await ask(api, members)
  expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store'])
  return (await response.json()) as Upload
}

/** As a page does it: where and with what the answer says, and nothing else. The store may be another host. */
async function send({ url }: Client, { uploadUrl, method, headers }: Upload, file: Uint8Array): Promise<Response> {
  return await fetch(new URL(uploadUrl, url), { method, headers, body: bodyOf(file) })
}

/** To us, whatever the store could do itself. */
async function put(
  api: Client,
  { completeUrl }: Upload,
  body: Uint8Array | ReadableStream,
  conditions: Options = {},
): Promise<Response> {
  const headers = { ...AS_BYTES, ...conditions }
  const given = body instanceof Uint8Array ? { body: bodyOf(body) } : { body, duplex: 'half' as const }
  return await api.fetch(completeUrl, { method: 'PUT', headers, ...given })
}

async function complete(api: Client, { completeUrl }: Upload, headers: Options = {}): Promise<Response> {
  return await api.fetch(completeUrl, { method: 'POST', headers })
}

/** Variants of earlier tasks may still be coming. */
async function inputs({ runtime }: Place): Promise<string[]> {
  return (await runtime.files()).filter((file) => file.startsWith('input/'))
}

export function uploads(place: Place): void {
  describe('uploads', () => {
    let cat: Buffer
    beforeAll(async () => {
      cat = await picture({ width: 240, height: 180 })
    })
    const filesOf = async (id: string): Promise<string[]> =>
      (await place.runtime.files()).filter((file) => file.includes(id))

    it('a file that is sent to its link becomes a task with the options that were asked for', async () => {
      const options = { variants: ['60x', { name: 'hero', width: 50, height: 50, fit: 'cover' }], format: 'png' }
      const upload = await asked(place.api, {
        bytes: cat.length,
        filename: 'cat.jpg',
        ...options,
        metadata: { a: 'b' },
      })
      expect(upload).toMatchObject({ method: 'PUT', bytes: cat.length })
      expect((await send(place.api, upload, cat)).ok).toBe(true)
      const response = await complete(place.api, upload, WAIT)
      const task = await taskOf(response)
      expect(response.headers.get('location')).toMatch(new RegExp(`/tasks/${upload.id}$`))
      expect(task).toMatchObject({ id: upload.id, status: 'completed', error: null, metadata: { a: 'b' } })
      expect(task.source).toMatchObject({ kind: 'upload', filename: 'cat.jpg', width: 240, bytes: cat.length })
      expect(task.variants).toMatchObject([
        { name: '60x', mediaType: 'image/png', width: 60, height: 45 },
        { name: 'hero', width: 50, height: 50 },
      ])
      await expectBands(await place.api.bytes(task.variants[0]!.href))
      expect((await place.api.bytes(task.links.original!)).equals(cat)).toBe(true)
      expect((await filesOf(upload.id)).filter((file) => file.startsWith('input/'))).toEqual([
        `input/${upload.id}/original.jpg`,
      ])
      const again = await complete(place.api, upload)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect((await taskOf(again)).id).toBe(upload.id)
      expect(await answerOf(await put(place.api, upload, cat))).toBe('409 upload-taken')
    })

    it('a link takes one file', async () => {
      const upload = await asked(place.api, { bytes: cat.length })
      expect(await answerOf(await complete(place.api, upload))).toBe('409 upload-missing')
      expect((await send(place.api, upload, cat)).ok).toBe(true)
      const other = Buffer.from(cat).fill(0, 100)
      expect((await send(place.api, upload, other)).ok).toBe(false)
      expect(await answerOf(await put(place.api, upload, other))).toBe('409 upload-taken')
      expect((await taskOf(await complete(place.api, upload, WAIT))).status).toBe('completed')
    })

    it('a link takes the bytes that were asked for, no more and no less, and stores nothing else', async () => {
      const upload = await asked(place.api, { bytes: cat.length })
      const more = Buffer.concat([cat, cat])
      const chunked = (bytes: Buffer) =>
        ReadableStream.from([bytes.subarray(0, 100), bytes.subarray(100)].map((chunk) => bodyOf(chunk)))
      expect((await send(place.api, upload, more)).ok).toBe(false)
      expect((await send(place.api, upload, cat.subarray(1))).ok).toBe(false)
      expect(await answerOf(await put(place.api, upload, more))).toBe('413 too-large')
      expect(await answerOf(await put(place.api, upload, chunked(more)))).toBe('413 too-large')
      expect(await answerOf(await put(place.api, upload, chunked(cat.subarray(1))))).toBe('400 invalid-request')
      expect(await filesOf(upload.id)).toEqual([`input/${upload.id}/upload.json`])
      expect((await put(place.api, upload, chunked(cat))).status).toBe(201)
      expect((await complete(place.api, upload)).status).toBe(202)
    })

    it('a link obeys conditions', async () => {
      const upload = await asked(place.api, { bytes: cat.length })
      const refused = '412 precondition-failed'
      expect(await answerOf(await put(place.api, upload, cat, { 'if-match': '*' }))).toBe(refused)
      expect((await put(place.api, upload, cat, { 'if-none-match': '*' })).ok).toBe(true)
      expect(await answerOf(await put(place.api, upload, cat, { 'if-none-match': '*' }))).toBe(refused)
      expect(await answerOf(await put(place.api, upload, cat))).toBe('409 upload-taken')
    })

    it('deleting the task before there is one changes nothing of what is to come', async () => {
      const upload = await asked(place.api, { bytes: cat.length })
      expect((await send(place.api, upload, cat)).ok).toBe(true)
      const self = `/tasks/${upload.id}`
      expect(await answerOf(await place.api.fetch(self, { method: 'DELETE' }))).toBe('404 not-found')
      expect((await taskOf(await complete(place.api, upload, WAIT))).status).toBe('completed')
      expect((await place.api.get(upload.id)).status).toBe('completed')
    })

    it('what is no image is refused, and removed', async () => {
      const text = Buffer.from('hello, this is no image')
      const upload = await asked(place.api, { bytes: text.length })
      expect((await send(place.api, upload, text)).ok).toBe(true)
      const { answer, detail } = await problemOf(await complete(place.api, upload))
      expect(answer).toBe('415 unsupported-image')
      expect(detail).toContain('text')
      expect(await filesOf(upload.id)).toEqual([])
      expect(await answerOf(await complete(place.api, upload))).toBe('404 not-found')
    })

    it.each<[string, unknown, string]>([
      ['/bytes', {}, '400 invalid-request'],
      ['/bytes', { bytes: 0 }, '400 invalid-request'],
      ['/quality', { bytes: 1, quality: 0 }, '400 invalid-request'],
      ['/variants/0', { bytes: 1, variants: ['0x10'] }, '400 invalid-request'],
      ['/url', { bytes: 1, url: 'https://example.com/a.jpg' }, '400 invalid-request'],
      ['', { bytes: INPUT_BYTES_MAX + 1 }, '413 too-large'],
    ])('what cannot become a task is refused at once: %s of %j', async (pointer, members, expected) => {
      const before = await inputs(place)
      const { answer, errors } = await problemOf(await ask(place.api, members))
      expect(answer).toBe(expected)
      expect(errors?.map((error) => error.pointer) ?? ['']).toContain(pointer)
      expect(await inputs(place)).toEqual(before)
    })

    it.each(['nonsense', '..%2F..', newTaskId()])('there is no upload %s', async (id) => {
      for (const method of ['PUT', 'POST']) {
        const init = method === 'PUT' ? { body: bodyOf(cat), headers: AS_BYTES } : {}
        expect(await answerOf(await place.api.fetch(`/uploads/${id}`, { method, ...init }))).toBe('404 not-found')
      }
      const wrong = await place.api.fetch(`/uploads/${id}`)
      expect(wrong.headers.get('allow')).toBe('POST, PUT, OPTIONS')
      expect(await answerOf(wrong)).toBe('405 method-not-allowed')
    })
  })
}

/** On a server with keys, of which this one signs links. */
export function uploadLinks(place: Place, signingKey: string): void {
  describe('links of an upload', () => {
    let cat: Buffer
    let stranger: Client
    beforeAll(async () => {
      cat = await picture({ width: 240, height: 180 })
      stranger = clientOf(place.api.url)
    })

    it('let whoever has them send the file and complete, without a key', async () => {
      const upload = await asked(place.api, { bytes: cat.length, variants: '60x' })
      expect(upload.completeUrl).toMatch(/\?exp=\d+&sig=[\w-]+$/)
      expect((await send(stranger, upload, cat)).ok).toBe(true)
      const response = await complete(stranger, upload, WAIT)
      const text = await response.clone().text()
      const task = await taskOf(response)
      expect(task).toMatchObject({ id: upload.id, status: 'completed' })
      expect((await stranger.fetch(task.variants[0]!.href)).status).toBe(200)
      // Nothing of it outlives the link by which it was read.
      const ends = new Set([...text.matchAll(/exp=(\d+)/g)].map(([, end]) => Number(end)))
      expect(ends).toEqual(new Set([Date.parse(upload.expiresAt) / 1_000]))
    })

    it('are asked for with a key alone', async () => {
      const before = await inputs(place)
      const response = await ask(stranger, { bytes: 1 })
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
      expect(await answerOf(response)).toBe('401 unauthorized')
      expect(await inputs(place)).toEqual(before)
    })

    it('open their own upload until their time is over, and are not altered', async () => {
      const upload = await asked(place.api, { bytes: cat.length })
      const { id, completeUrl } = upload
      const path = `/uploads/${id}`
      const other = await asked(place.api, { bytes: cat.length })
      const [, search] = completeUrl.split('?')
      const nowSeconds = Math.floor(Date.now() / 1_000)
      const rows: Array<[link: string, answer: string]> = [
        [path, '401 unauthorized'],
        [`/uploads/${other.id}?${search}`, '403 link-invalid'],
        [completeUrl.replace(/exp=(\d+)/, (_, end) => `exp=${Number(end) + 60}`), '403 link-invalid'],
        [completeUrl.replace(/sig=./, (start) => (start === 'sig=A' ? 'sig=B' : 'sig=A')), '403 link-invalid'],
        [signed(path, signingKey, nowSeconds - 1), '403 link-invalid'],
        [signed(path, 'another-key-of-a-stranger', nowSeconds + 60), '403 link-invalid'],
        [signed(`/tasks/${id}`, signingKey, nowSeconds + 60).replace('/tasks/', '/uploads/'), '403 link-invalid'],
      ]
      for (const [link, answer] of rows) {
        for (const init of [{ method: 'PUT', body: bodyOf(cat), headers: AS_BYTES }, { method: 'POST' }]) {
          expect([link, await answerOf(await stranger.fetch(link, init))]).toEqual([link, answer])
        }
      }
      const files = await place.runtime.files()
      expect(files.filter((file) => file.includes(id))).toEqual([`input/${id}/upload.json`])
      expect((await put(stranger, upload, cat)).status).toBe(201)
    })
  })
}
