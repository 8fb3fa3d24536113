/** GET /tasks/{taskId}/variants/{variant} and /original: bytes, conditions, ranges. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { answerOf, formOf, problemOf, taskOf, WAIT } from './client.ts'
import { UNKNOWN_ID } from './get-task.ts'
import type { Place } from './running.ts'

export function gettingVariants(place: Place): void {
  describe('GET /tasks/{taskId}/variants/{variant}', () => {
    let task: TaskRepresentation
    let href: string
    let bytes: Buffer
    beforeAll(async () => {
      task = await place.api.completed(await picture(), { variants: '600x' })
      href = task.variants[0]!.href
      bytes = await place.api.bytes(href)
    })
    const get = async (headers: Record<string, string>, method = 'GET'): Promise<Response> =>
      await place.api.fetch(href, { headers, method })
    const bodyOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer())

    it('sends the bytes with everything that a cache and a page need', async () => {
      const { status, headers } = await get({})
      expect(status).toBe(200)
      expect(Object.fromEntries(headers)).toMatchObject({
        'content-type': 'image/jpeg',
        'content-length': String(bytes.length),
        etag: `"${task.variants[0]!.sha256}"`,
        'last-modified': new Date(task.completedAt!).toUTCString(),
        'cache-control': 'public, max-age=31536000, immutable',
        'cross-origin-resource-policy': 'cross-origin',
        'accept-ranges': 'bytes',
        'x-content-type-options': 'nosniff',
      })
      expect(headers.get('vary')).toContain('Accept')
    })

    it('answers HEAD as GET without the body', async () => {
      const [whole, head] = [await get({}), await get({}, 'HEAD')]
      expect([head.status, (await bodyOf(head)).length]).toEqual([200, 0])
      for (const name of ['content-type', 'content-length', 'etag', 'last-modified', 'cache-control', 'accept-ranges'])
        expect(head.headers.get(name)).toBe(whole.headers.get(name))
    })

    it('answers 304 to the ETag, and to a date where no ETag is sent', async () => {
      const { headers } = await get({})
      const [etag, date] = [headers.get('etag')!, headers.get('last-modified')!]
      for (const conditions of [
        { 'if-none-match': etag },
        { 'if-none-match': `W/${etag}` },
        { 'if-none-match': '*' },
        { 'if-modified-since': date },
      ]) {
        // Where `Accept` decides a date names several files.
        const dated = 'if-modified-since' in conditions
        const response = dated
          ? await place.api.fetch(`${href}?format=jpeg`, { headers: conditions })
          : await get(conditions)
        expect([response.status, (await bodyOf(response)).length]).toEqual([304, 0])
        expect(response.headers.get('etag')).toBe(etag)
        expect(response.headers.get('cache-control')).toContain('max-age=31536000')
      }
      for (const conditions of [
        { 'if-none-match': '"other"' },
        { 'if-none-match': '"other"', 'if-modified-since': date },
        { 'if-modified-since': date },
        { 'if-modified-since': new Date(Date.parse(date) - 1_000).toUTCString() },
        { 'if-modified-since': 'yesterday' },
      ])
        expect((await get(conditions)).status).toBe(200)
    })

    it('sends the part that Range asks for', async () => {
      const { length } = bytes
      for (const [range, start, end] of [
        ['bytes=0-0', 0, 0],
        ['bytes=100-199', 100, 199],
        ['bytes=100-', 100, length - 1],
        ['bytes=-100', length - 100, length - 1],
        [`bytes=-${length + 5}`, 0, length - 1],
        [`bytes=${length - 1}-${length + 500}`, length - 1, length - 1],
      ] as const) {
        const response = await get({ range })
        expect([response.status, response.headers.get('content-range')]).toEqual([
          206,
          `bytes ${start}-${end}/${length}`,
        ])
        expect(response.headers.get('content-length')).toBe(String(end - start + 1))
        expect(await bodyOf(response)).toEqual(bytes.subarray(start, end + 1))
      }
    })

    it('answers 416 with the length to a range behind the end', async () => {
      for (const range of [`bytes=${bytes.length}-`, 'bytes=-0']) {
        const response = await get({ range })
        expect(response.headers.get('content-range')).toBe(`bytes */${bytes.length}`)
        expect(await answerOf(response)).toBe('416 range-not-satisfiable')
      }
    })

    it('sends the whole for a range that it does not read', async () => {
      for (const range of ['bytes=5-2', 'bytes=0-1,5-6', 'bytes=a-b', 'lines=0-1', 'bytes'])
        expect((await get({ range })).status).toBe(200)
    })

    it('obeys If-Range', async () => {
      const { headers } = await get({})
      const range = 'bytes=0-9'
      expect((await get({ range, 'if-range': headers.get('etag')! })).status).toBe(206)
      expect((await get({ range, 'if-range': '"other"' })).status).toBe(200)
      expect((await get({ range, 'if-range': `W/${headers.get('etag')!}` })).status).toBe(200)
    })

    it('answers 412 to the tag or the date of another file, Range or not', async () => {
      const { headers } = await get({})
      const [etag, date] = [headers.get('etag')!, headers.get('last-modified')!]
      const earlier = new Date(Date.parse(date) - 1_000).toUTCString()
      for (const conditions of [
        { 'if-match': '"other"' },
        { 'if-match': `W/${etag}`, range: 'bytes=0-9' },
        { 'if-match': '"other"', 'if-none-match': etag },
        { 'if-unmodified-since': earlier },
      ]) {
        expect(await answerOf(await get(conditions))).toBe('412 precondition-failed')
        expect((await get(conditions, 'HEAD')).status).toBe(412)
      }
      for (const [conditions, status] of [
        [{ 'if-match': `"other", ${etag}` }, 200],
        [{ 'if-match': '*' }, 200],
        [{ 'if-unmodified-since': date }, 200],
        [{ 'if-match': etag, 'if-unmodified-since': earlier, range: 'bytes=0-9' }, 206],
        [{ 'if-match': etag, 'if-none-match': etag }, 304],
      ] as const)
        expect([conditions, (await get(conditions)).status]).toEqual([conditions, status])
    })

    it('answers 404 to a variant that was not asked for, whatever it is called', async () => {
      for (const name of [
        '601x',
        'original',
        '..%2f..%2f..%2fetc%2fpasswd',
        '%2e%2e',
        '600x.jpg',
        '600X',
        'a%00b',
        '%',
      ])
        expect(await answerOf(await place.api.fetch(`/tasks/${task.id}/variants/${name}`))).toMatch(/^40[04] /)
      expect(await answerOf(await place.api.fetch(`/tasks/${UNKNOWN_ID}/variants/600x`))).toBe('404 not-found')
      expect(await answerOf(await place.api.fetch('/tasks/nonsense/variants/600x'))).toBe('404 not-found')
    })

    it('answers 409 with the code of a task that failed, its original still there', async () => {
      const cut = (await picture()).subarray(0, 9_000)
      const failed = await taskOf(await place.api.upload(cut, { variants: '600x' }, WAIT))
      expect(failed).toMatchObject({ status: 'failed', variants: [], progress: expect.any(Number) })
      const problem = await problemOf(await place.api.fetch(`/tasks/${failed.id}/variants/600x?wait=5`))
      expect(problem).toMatchObject({ answer: '409 image-corrupt', detail: failed.error!.message })
      expect((await place.api.fetch(failed.links.original!)).status).toBe(200)
    })

    it('refuses a wait that is none', async () => {
      for (const wait of ['31', '-1', 'x', '1.5'])
        expect(await answerOf(await place.api.fetch(`${href}?wait=${wait}`))).toBe('400 invalid-request')
      expect((await place.api.fetch(`${href}?wait=30`)).status).toBe(200)
    })
  })

  describe('GET /tasks/{taskId}/original', () => {
    it('sends the bytes as they came, to be saved and never shown', async () => {
      const png = await picture({ format: 'png', width: 90, height: 60 })
      const task = await taskOf(await place.api.form(formOf(png, { variants: '9x' }, 'Käse "1"/../x.html'), WAIT))
      const response = await place.api.fetch(task.links.original!)
      expect(response.status).toBe(200)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'image/png',
        'content-length': String(png.length),
        'x-content-type-options': 'nosniff',
        etag: `"${task.source.sha256}"`,
      })
      expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="[^"/]*x\.html\.png"/)
      expect(response.headers.has('vary') && response.headers.get('vary')).not.toContain('Accept')
      expect(Buffer.from(await response.arrayBuffer())).toEqual(png)
      const part = await place.api.fetch(task.links.original!, { headers: { range: 'bytes=1-3' } })
      expect([part.status, await part.text()]).toEqual([206, 'PNG'])
      const head = await place.api.fetch(task.links.original!, { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length')]).toEqual([200, String(png.length)])
    })

    it('does not know the original of an unknown task', async () => {
      expect(await answerOf(await place.api.fetch(`/tasks/${UNKNOWN_ID}/original`))).toBe('404 not-found')
    })
  })
}
