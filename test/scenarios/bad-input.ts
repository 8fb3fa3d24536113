/** Bodies and options that are refused before anything is stored. */
import { beforeAll, describe, expect, it } from 'vitest'
import { picture } from '../pictures.ts'
import { answerOf, type Body, bodyOf, formOf, problemOf } from './client.ts'
import { heic, html, pdf, svg } from './files.ts'
import type { Place } from './running.ts'

export function badInput(place: Place): void {
  describe('refused', () => {
    let cat: Buffer
    let before: string[]
    const originals = async (): Promise<string[]> =>
      (await place.runtime.files()).filter((file) => file.startsWith('input/'))
    beforeAll(async () => {
      cat = await picture({ width: 120, height: 90 })
      before = await originals()
    })
    const post = async (body: Body | null, type?: string): Promise<Response> => {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      return await place.api.fetch('/tasks', { method: 'POST', body, headers })
    }

    describe('with 400, naming the fault', () => {
      it('no image', async () => {
        expect(await answerOf(await place.api.form(formOf(null, { variants: '9x9' })))).toBe('400 invalid-request')
        expect(await answerOf(await post(null))).toBe('400 invalid-request')
        expect(await answerOf(await post('', 'image/jpeg'))).toBe('400 invalid-request')
        expect(await answerOf(await place.api.form(formOf(Buffer.alloc(0))))).toBe('400 invalid-request')
        expect(await answerOf(await place.api.json({}))).toBe('400 invalid-request')
      })

      it('two images', async () => {
        const form = formOf(cat)
        form.append('image', new Blob([bodyOf(cat)]), 'second.jpg')
        const { detail, answer } = await problemOf(await place.api.form(form))
        expect(answer).toBe('400 invalid-request')
        expect(detail).toContain('two')
      })

      it('a file of another name, which is named', async () => {
        const form = formOf(cat)
        form.append('picture', new Blob([bodyOf(cat)]), 'second.jpg')
        const { detail, answer } = await problemOf(await place.api.form(form))
        expect(answer).toBe('400 invalid-request')
        expect(detail).toContain('"picture"')
      })

      it.each([
        ['no boundary', 'multipart/form-data', 'x'],
        ['another boundary', 'multipart/form-data; boundary=a', '--b\r\n\r\n--b--'],
        [
          'an end that is missing',
          'multipart/form-data; boundary=a',
          '--a\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n\xff\xd8\xff',
        ],
        ['nothing', 'multipart/form-data; boundary=a', ''],
      ])('malformed multipart: %s', async (_what, type, body) => {
        expect(await answerOf(await post(body, type))).toBe('400 invalid-request')
      })

      it.each([
        '{',
        '[]',
        'null',
        '"url"',
        '\xff',
        '{"url":1}',
        '{"taskId":7}',
        '{"url":"https://a.example","taskId":"b"}',
      ])('invalid JSON: %s', async (body) => {
        expect(await answerOf(await post(body, 'application/json'))).toBe('400 invalid-request')
      })

      it.each([
        ['variants', '0x10'],
        ['variants', '10x0'],
        ['variants', '8193x1'],
        ['variants', '1x8193'],
        ['variants', 'x'],
        ['variants', '-5x5'],
        ['variants', '10x10:cover:extra'],
        ['variants', '10x:cover'],
        ['variants', '10.5x10'],
        ['variants', ''],
        ['variants', '10x10,10x10'],
        ['variants', 'thumb'],
        ['variants', '../../etc/passwd'],
        ['variants', Array.from({ length: 17 }, (_, at) => `${at + 1}x`).join(',')],
        ['format', 'bmp'],
        ['format', 'JPEG'],
        ['quality', '0'],
        ['quality', '101'],
        ['quality', '80.5'],
        ['quality', 'best'],
        ['position', 'middle'],
        ['background', 'notacolour'],
        ['background', '#12'],
        ['original', 'drop'],
        ['access', 'private'],
        ['metadata', '{"a":1}'],
        ['metadata', '[]'],
        ['metadata', 'no json'],
        ['callbackUrl', 'not a url'],
        ['callbackUrl', `https://example.com/${'a'.repeat(2_048)}`],
        ['colour', 'red'],
        ['__proto__', 'red'],
      ])('option %s=%.40s', async (name, value) => {
        for (const response of [
          await place.api.upload(cat, { [name]: value }),
          await place.api.raw(cat, { [name]: value }),
        ]) {
          const { errors, answer } = await problemOf(response)
          expect(answer).toBe('400 invalid-request')
          expect(errors?.map(({ pointer }) => pointer)).toContain(name)
        }
      })

      it.each([
        ['/variants/0/name', { variants: [{ name: 'original', width: 5 }] }],
        ['/variants/0/name', { variants: [{ name: '../x', width: 5 }] }],
        ['/variants/0/name', { variants: [{ name: 'a'.repeat(65), width: 5 }] }],
        ['/variants/0/width', { variants: [{ width: 0 }] }],
        ['/variants/0/height', { variants: [{ width: 5, height: 8193 }] }],
        ['/variants/1/quality', { variants: ['5x', { width: 5, quality: 0 }] }],
        ['/variants/0/blur', { variants: [{ width: 5, blur: 3 }] }],
        ['/variants/0', { variants: [{}] }],
        ['/variants/0', { variants: [{ width: 5, fit: 'cover' }] }],
        [
          '/variants/1',
          {
            variants: [
              { name: 'a', width: 5 },
              { name: 'a', width: 6 },
            ],
          },
        ],
        ['/variants', { variants: [] }],
        ['/variants', { variants: 5 }],
        ['/quality', { quality: '80' }],
        ['/metadata/a', { metadata: { a: 1 } }],
        ['/unknown', { unknown: true }],
      ])('a JSON member at %s', async (pointer, members) => {
        const response = await place.api.json({ url: 'https://example.com/a.jpg', ...members })
        const { errors, answer } = await problemOf(response)
        expect(answer).toBe('400 invalid-request')
        expect(errors?.map((error) => error.pointer)).toContain(pointer)
      })

      it('every fault at once, each with its pointer', async () => {
        const response = await place.api.upload(cat, { quality: '0', format: 'x', nonsense: '1' })
        const { errors, answer } = await problemOf(response)
        expect(answer).toBe('400 invalid-request')
        expect(errors?.map(({ pointer }) => pointer).sort()).toEqual(['format', 'nonsense', 'quality'])
      })

      it.each(['', '""', 'a'.repeat(256), 'a"b'])('Idempotency-Key %.20s', async (key) => {
        expect(await answerOf(await place.api.upload(cat, {}, { 'idempotency-key': key }))).toBe('400 invalid-request')
      })
    })

    describe('with 415, naming what was found', () => {
      it.each([
        ['text', Buffer.from('hello, this is no image')],
        ['SVG', svg],
        ['PDF', pdf],
        ['HTML', html],
        ['HEIC', heic],
        ['no known type', Buffer.from([1, 2, 3, 0, 4, 5, 255])],
      ])('%s', async (name, bytes) => {
        for (const response of [await place.api.upload(bytes), await place.api.raw(bytes)]) {
          const { detail, answer } = await problemOf(response)
          expect(answer).toBe('415 unsupported-image')
          expect(detail.toLowerCase()).toContain(name.toLowerCase())
          for (const accepted of ['JPEG', 'PNG', 'WebP', 'GIF', 'AVIF']) expect(detail).toContain(accepted)
        }
      })

      it('TIFF', async () => {
        const tiff = await picture({ format: 'tiff', width: 60, height: 40 })
        const { detail, answer } = await problemOf(await place.api.upload(tiff))
        expect(answer).toBe('415 unsupported-image')
        expect(detail).toContain('TIFF')
      })

      it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'video/mp4'])(
        'a body of type %s',
        async (type) => {
          expect(await answerOf(await post(bodyOf(cat), type))).toBe('415 unsupported-media-type')
        },
      )

      it('a body that is compressed', async () => {
        const response = await place.api.raw(cat, {}, { 'content-encoding': 'gzip' })
        expect(response.headers.get('accept-encoding')).toBe('identity')
        expect(await answerOf(response)).toBe('415 unsupported-media-type')
      })
    })

    describe('with 422, before anything is fetched', () => {
      it.each([
        'ftp://example.com/a.jpg',
        'file:///etc/passwd',
        'data:image/png;base64,AAAA',
        'https://user:secret@example.com/a.jpg',
        'http://127.0.0.1/a.jpg',
        'http://localhost/a.jpg',
        'http://LOCALHOST./a.jpg',
        'http://a.localhost/a.jpg',
        'http://127.1/a.jpg',
        'http://2130706433/a.jpg',
        'http://0x7f000001/a.jpg',
        'http://0177.0.0.1/a.jpg',
        'http://0/a.jpg',
        'http://[::1]/a.jpg',
        'http://[::ffff:127.0.0.1]/a.jpg',
        'http://[::ffff:7f00:1]/a.jpg',
        'http://[64:ff9b::7f00:1]/a.jpg',
        'http://10.0.0.1/a.jpg',
        'http://172.16.0.1/a.jpg',
        'http://192.168.1.1/a.jpg',
        'http://169.254.169.254/latest/meta-data/',
        'http://[fd00:ec2::254]/latest/',
        'http://[fe80::1]/a.jpg',
        'http://100.100.100.200/',
        'http://①②⑦.0.0.1/a.jpg',
      ])('%s', async (url) => {
        const { detail, answer } = await problemOf(await place.api.json({ url }))
        expect(answer).toBe('422 url-not-allowed')
        expect(detail).toContain('ALLOW_HOSTS')
      })
    })

    it('an unknown task to make new variants of: 404', async () => {
      for (const taskId of ['01999999-9999-7999-8999-999999999999', 'nonsense', '../x']) {
        expect(await answerOf(await place.api.json({ taskId }))).toBe('404 not-found')
      }
    })

    it('and nothing of all this is stored', async () => {
      expect(await originals()).toEqual(before)
    })
  })
}
