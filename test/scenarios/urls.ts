/** Images behind URLs: what is fetched, and every way in which that goes wrong. */
import { lookup } from 'node:dns/promises'
import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { taskOf, WAIT } from './client.ts'
import { html, padded, pngHeader, svg } from './files.ts'
import { expectBands } from '../pixels.ts'
import { running } from './running.ts'
import { closedPort, type SourceServer, sourceServer } from './source-server.ts'
import type { Target } from './target.ts'

const BYTES_MAX = 150_000

async function isPrivate(name: string): Promise<boolean> {
  const addresses = await lookup(name, { all: true }).catch(() => [])
  return (
    addresses.length > 0 &&
    addresses.every(({ address }) => /^(127|10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(address))
  )
}

export function urls(target: Target): void {
  describe.concurrent('a URL as the source', () => {
    let source: SourceServer
    let nobody: number
    let cat: Buffer
    const place = running(target, async () => {
      source = await sourceServer()
      nobody = await closedPort()
      const ALLOW_HOSTS = `127.0.0.1:${source.port},127.0.0.1:${nobody}`
      return { ALLOW_HOSTS, MAX_RETRIES: '0', INPUT_BYTES_MAX: String(BYTES_MAX) }
    })
    beforeAll(async () => {
      cat = await picture({ orientation: 6 })
    })
    afterAll(async () => await source[Symbol.asyncDispose]())
    const ended = async (url: string): Promise<TaskRepresentation> =>
      await taskOf(await place.api.json({ url, variants: ['300x'] }, WAIT))
    const codeOf = async (url: string): Promise<string | undefined> => {
      const { status, error, variants } = await ended(url)
      return status === 'failed' && variants.length === 0 ? error?.code : status
    }

    it('is fetched, stored, and known once it was seen', async () => {
      const url = source.file('/good.jpg', cat, { 'content-type': 'text/html' })
      const created = await taskOf(await place.api.json({ url, variants: '300x' }))
      expect(created.source).toMatchObject({ kind: 'url', url, mediaType: null, bytes: null, width: null })
      const task = await taskOf(await place.api.fetch(created.links.self, { headers: WAIT }))
      expect(task).toMatchObject({
        status: 'completed',
        source: { kind: 'url', url, mediaType: 'image/jpeg', bytes: cat.length, width: 1200, height: 900, frames: 1 },
      })
      expect(await place.api.bytes(task.links.original!)).toEqual(cat)
      await expectBands(await place.api.bytes(task.variants[0]!.href))
      expect(source.visits('/good.jpg')).toBe(1)
    })

    it('may redirect three times', async () => {
      source.file('/end.jpg', cat)
      source.status('/hop3', 301, { location: '/end.jpg' })
      source.status('/hop2', 307, { location: '/hop3' })
      const third = source.status('/hop1', 302, { location: `http://127.0.0.1:${source.port}/hop2` })
      expect(await codeOf(third)).toBe('completed')
      expect(await codeOf(source.status('/hop0', 308, { location: '/hop1' }))).toBe('source-unreachable')
    })

    it.each([404, 403, 410, 500, 503, 204])(
      'that answers %i fails the task with source-unreachable',
      async (status) => {
        const code = await codeOf(source.status(`/status-${status}`, status))
        expect(status === 204 ? ['unsupported-image', 'source-unreachable'] : ['source-unreachable']).toContain(code)
      },
    )

    it('that nobody listens at: source-unreachable', async () => {
      expect(await codeOf(`http://127.0.0.1:${nobody}/a.jpg`)).toBe('source-unreachable')
    })

    it('that breaks off: never a picture', async () => {
      const url = source.at('/broken.jpg', (response) => {
        response.writeHead(200, { 'content-length': String(cat.length) })
        response.write(cat.subarray(0, 5_000), () => response.destroy())
      })
      expect(await codeOf(url)).toBe('source-unreachable')
    })

    it.each([
      ['another address of this machine', 'http://127.0.0.2/a.jpg'],
      ['the same by another spelling', 'http://[::1]/a.jpg'],
      ['a metadata address', 'http://169.254.169.254/latest/meta-data/'],
      ['a private address', 'http://10.0.0.1/a.jpg'],
      ['a local name', 'http://localhost/a.jpg'],
      ['a file', 'file:///etc/passwd'],
      ['credentials', 'http://user:secret@127.0.0.1/a.jpg'],
    ])('that redirects to %s: url-not-allowed', async (what, location) => {
      const hop = source.status(`/to-${what.replaceAll(' ', '-')}-2`, 302, { location })
      const url = source.status(`/to-${what.replaceAll(' ', '-')}`, 302, { location: hop })
      const task = await ended(url)
      expect(task).toMatchObject({ status: 'failed', error: { code: 'url-not-allowed' } })
      expect(task.error!.message).not.toContain('secret')
    })

    it('whose name resolves to a private address: url-not-allowed', async (context) => {
      if (!(await isPrivate(hostname()))) context.skip('this machine has no name with a private address')
      await using other = await sourceServer()
      other.file('/good.jpg', cat)
      // Nothing is wrong with its spelling: it is accepted, and refused where it would be connected to.
      expect(await codeOf(`http://${hostname()}:${other.port}/good.jpg`)).toBe('url-not-allowed')
      expect(other.visits('/good.jpg')).toBe(0)
    })

    it('that is too large: too-large, with a length and without', async () => {
      const small = await picture({ width: 100, height: 80 })
      const over = padded(small, BYTES_MAX + 1)
      expect(await codeOf(source.file('/exact.jpg', padded(small, BYTES_MAX)))).toBe('completed')
      const declared = { 'content-length': String(over.length) }
      expect(await codeOf(source.file('/over.jpg', over, declared))).toBe('too-large')
      const chunked = source.at('/chunked.jpg', (response) => {
        response.write(over.subarray(0, 1_000))
        response.end(over.subarray(1_000))
      })
      expect(await codeOf(chunked)).toBe('too-large')
      const endless = source.at('/endless.jpg', (response) => {
        response.write(small)
        const more = (): void => void (response.destroyed || response.write(Buffer.alloc(65_536), more))
        more()
      })
      expect(await codeOf(endless)).toBe('too-large')
    })

    it.each([
      ['HTML', html, 'unsupported-image'],
      ['SVG', svg, 'unsupported-image'],
      ['text', Buffer.from('just text'), 'unsupported-image'],
      ['nothing', Buffer.alloc(0), 'unsupported-image'],
      ['half a picture', null, 'image-corrupt'],
      ['256 megapixels', pngHeader(16_000, 16_000), 'image-too-many-pixels'],
    ])('that is %s fails with its code', async (what, bytes, code) => {
      const url = source.file(`/is-${what.replaceAll(' ', '-')}`, bytes ?? cat.subarray(0, 9_000), {
        'content-type': 'image/jpeg',
      })
      const task = await ended(url)
      expect(task).toMatchObject({ status: 'failed', error: { code } })
      expect(task.error!.message.length).toBeGreaterThan(20)
      expect((await place.api.fetch(`${task.links.self}/variants/300x`)).status).toBe(409)
    })

    it('that asks for variants which cost too much once its size is known', async () => {
      const flat = await picture({ width: 3_600, height: 3_500, quality: 30 })
      const url = source.file('/costly.jpg', flat.subarray(0, BYTES_MAX))
      const variants = [
        '8000x8000',
        '8001x8001',
        '8002x8002',
        '8003x8003',
        '8004x8004',
        '8005x8005',
        '8006x8006',
        '8007x8007',
      ]
      const task = await taskOf(await place.api.json({ url, variants }, WAIT))
      expect(task).toMatchObject({ status: 'failed', error: { code: 'output-too-costly' } })
    })
  })
}
