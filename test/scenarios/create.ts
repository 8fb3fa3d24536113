/** POST /tasks: the three kinds of body, and what an accepted image is answered with. */
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { TASK_ID } from '#shared/task.ts'
import { picture } from '../pictures.ts'
import { clientOf, formOf, taskOf, WAIT } from './client.ts'
import { expectBands, expectClean } from '../pixels.ts'
import { beginUpload } from './raw-request.ts'
import type { Place } from './running.ts'

export function creating(place: Place): void {
  describe('POST /tasks', () => {
    let cat: Buffer
    beforeAll(async () => {
      cat = await picture()
    })

    it('answers 202 at once, with Location, Retry-After and the task', async () => {
      const response = await place.api.upload(cat)
      expect(response.status).toBe(202)
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(response.headers.has('preference-applied')).toBe(false)
      const task = await taskOf(response)
      expect(response.headers.get('location')).toBe(`/tasks/${task.id}`)
      expect(task.id).toMatch(TASK_ID)
      expect(task).toMatchObject({ attempts: 0, progress: 0, error: null, callback: null, retryOf: null, metadata: {} })
      expect(task.source).toMatchObject({
        kind: 'upload',
        filename: 'cat.jpg',
        mediaType: 'image/jpeg',
        bytes: cat.length,
        width: 1200,
        height: 900,
        sha256: createHash('sha256').update(cat).digest('hex'),
      })
      expect(task.options).toMatchObject({
        variants: ['1024x1024', '800x800'],
        format: 'jpeg',
        original: 'keep',
        access: 'public',
      })
      expect(task.links).toEqual({
        self: `/tasks/${task.id}`,
        events: `/tasks/${task.id}`,
        original: `/tasks/${task.id}/original`,
        variants: Object.fromEntries(
          ['1024x1024', '800x800'].map((name) => [name, `/tasks/${task.id}/variants/${name}`]),
        ),
      })
    })

    it('answers 201 with the finished task to Prefer: wait', async () => {
      const response = await place.api.upload(cat, {}, WAIT)
      expect(response.status).toBe(201)
      expect(response.headers.get('preference-applied')).toBe('wait=30')
      expect(response.headers.has('retry-after')).toBe(false)
      const task = await taskOf(response)
      expect(task).toMatchObject({ status: 'completed', progress: 1, attempts: 1, expiresAt: null, warnings: [] })
      expect(task.color).toMatch(/^#[0-9a-f]{6}$/)
      expect(Buffer.from(task.placeholder!, 'base64').length).toBeGreaterThan(4)
      expect(Date.parse(task.completedAt!)).toBeGreaterThanOrEqual(Date.parse(task.createdAt))
      expect(task.source.frames).toBe(1)
      expect(task.variants).toMatchObject([
        { name: '1024x1024', width: 1024, height: 768, mediaType: 'image/jpeg' },
        { name: '800x800', width: 800, height: 600, mediaType: 'image/jpeg' },
      ])
      for (const { name, href, bytes, sha256, width, height } of task.variants) {
        expect(href).toBe(`/tasks/${task.id}/variants/${name}`)
        const picture = await place.api.bytes(href)
        expect(picture.length).toBe(bytes)
        expect(createHash('sha256').update(picture).digest('hex')).toBe(sha256)
        await expectClean(picture, { width, height, format: 'jpeg' })
        await expectBands(picture)
      }
    })

    it('says that a wait of 0 was applied, and does not wait', async () => {
      const response = await place.api.upload(cat, {}, { prefer: 'wait=0' })
      expect([response.status, response.headers.get('preference-applied')]).toEqual([202, 'wait=0'])
    })

    it('caps the wait at 30 seconds and finds it among other preferences', async () => {
      const response = await place.api.upload(cat, {}, { prefer: 'respond-async, wait=99; x=1' })
      expect([response.status, response.headers.get('preference-applied')]).toEqual([201, 'wait=30'])
    })

    it('takes fields before and after the file', async () => {
      const before = new FormData()
      before.append('variants', '300x')
      before.append('image', new Blob([new Uint8Array(cat)]), 'a.jpg')
      before.append('metadata', '{"place":"after"}')
      const task = await taskOf(await place.api.form(before, WAIT))
      expect(task.variants).toMatchObject([{ name: '300x', width: 300, height: 225 }])
      expect(task.metadata).toEqual({ place: 'after' })
    })

    it('takes the raw bytes, under image/* and octet-stream, with options in the query', async () => {
      for (const type of ['image/jpeg', 'image/anything', 'application/octet-stream']) {
        const response = await place.api.raw(cat, { variants: 'x90', quality: '50' }, { ...WAIT, 'content-type': type })
        expect(response.status).toBe(201)
        const task = await taskOf(response)
        expect(task.source).toMatchObject({ kind: 'upload', filename: null, mediaType: 'image/jpeg' })
        expect(task.variants).toMatchObject([{ name: 'x90', width: 120, height: 90 }])
      }
    })

    it('lets the bytes decide what the image is, never the header or the name', async () => {
      const png = await picture({ width: 60, height: 40, format: 'png' })
      const raw = await taskOf(await place.api.raw(png, { variants: '50x' }, WAIT))
      expect(raw.source.mediaType).toBe('image/png')
      const form = await taskOf(await place.api.form(formOf(png, { variants: '50x' }, 'page.html'), WAIT))
      expect(form.source).toMatchObject({ mediaType: 'image/png', filename: 'page.html' })
    })

    it('takes a body in chunks, its length unknown', async () => {
      const upload = await beginUpload(place.api.url, { 'content-type': 'image/jpeg', 'transfer-encoding': 'chunked' })
      for (let at = 0; at < cat.length; at += 10_000) upload.write(cat.subarray(at, at + 10_000))
      upload.end()
      const { status, body } = await upload.answer
      expect(status).toBe(202)
      expect(body.source).toMatchObject({ bytes: cat.length })
    })

    it.each([
      ['raw bytes', 'image/jpeg', ''],
      [
        'a form',
        'multipart/form-data; boundary=b',
        '--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n',
      ],
    ])('leaves nothing behind when the client goes away in the middle of %s', async (_kind, type, prologue) => {
      // Variants of the tasks before may still be coming.
      const originals = async (): Promise<string[]> =>
        (await place.runtime.files()).filter((file) => file.startsWith('input/'))
      const known = new Set(await originals())
      const added = async (): Promise<string[]> => (await originals()).filter((file) => !known.has(file))
      const upload = await beginUpload(place.api.url, {
        'content-type': type,
        'content-length': String(prologue.length + cat.length),
      })
      upload.write(Buffer.from(prologue))
      upload.write(cat.subarray(0, cat.length - 1_000))
      await expect.poll(added).not.toEqual([])
      upload.drop()
      await expect.poll(added).toEqual([])
    })

    it('traces a request: the given trace goes on, in the answer too', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      const response = await clientOf(place.api.url, { traceparent }).upload(cat, { variants: '1x1' })
      expect(response.headers.get('traceparent')).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
    })
  })
}
