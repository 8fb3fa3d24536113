/** A server with API keys: who may call, and links that open by their signature. */
import { createHmac } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { answerOf, type Client, clientOf, taskOf, WAIT } from './client.ts'
import { newKey } from './idempotency.ts'
import { ask } from './raw-request.ts'
import { running } from './running.ts'
import type { Target } from './target.ts'
import { uploadLinks } from './uploads.ts'

const KEYS = ['first-key-of-the-scenarios', 'second-key-of-the-scenarios'] as const
const SIGNING_KEYS = ['signing-key-that-is-new', 'signing-key-that-was-before'] as const
const DAY_SECONDS = 24 * 60 * 60

/** A link as a server would have written it that had this signing key. */
export function signed(path: string, key: string, exp: number): string {
  return `${path}?exp=${exp}&sig=${createHmac('sha256', key).update(`${path}\n${exp}`).digest('base64url')}`
}

export function keys(target: Target): void {
  describe('with keys', () => {
    const place = running(target, { API_KEY: KEYS.join(','), SIGNING_KEYS: SIGNING_KEYS.join(',') })
    let stranger: Client
    let task: TaskRepresentation
    let path: string
    beforeAll(async () => {
      stranger = clientOf(place.api.url)
      task = await place.api.completed(await picture(), { variants: '100x' })
      path = `/tasks/${task.id}/variants/100x`
    })
    const nowSeconds = (): number => Math.floor(Date.now() / 1_000)
    const maxAge = (response: Response): number =>
      Number(/max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1])

    describe('a call without a key', () => {
      it.each([
        ['POST', '/tasks'],
        ['GET', '/tasks'],
        ['GET', '/tasks/{id}'],
        ['DELETE', '/tasks/{id}'],
        ['GET', '/tasks/{id}/variants/100x'],
        ['GET', '/tasks/{id}/original'],
        ['GET', '/tasks/01999999-9999-7999-8999-999999999999'],
        ['POST', '/uploads'],
        ['GET', '/metrics'],
      ])('%s %s is 401 with WWW-Authenticate', async (method, template) => {
        for (const headers of [{}, { 'x-api-key': 'wrong' }, { authorization: 'Bearer wrong' }, { 'x-api-key': '' }]) {
          const response = await stranger.fetch(template.replace('{id}', task.id), { method, headers })
          expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
          expect(await answerOf(response)).toBe('401 unauthorized')
        }
      })

      it.each(['/healthz', '/readyz', '/docs', '/openapi.json', '/problems/not-found'])(
        '%s is answered',
        async (open) => {
          expect((await stranger.fetch(open)).status).toBe(200)
        },
      )

      it('nothing is stored of what it sends', async () => {
        const before = await place.runtime.files()
        expect(await answerOf(await stranger.upload(await picture()))).toBe('401 unauthorized')
        expect(await place.runtime.files()).toEqual(before)
      })
    })

    it('each key of the list opens, as X-API-Key and as Bearer', async () => {
      for (const key of KEYS) {
        for (const headers of [
          { 'x-api-key': key },
          { authorization: `Bearer ${key}` },
          { authorization: `bearer ${key}` },
        ])
          expect((await stranger.fetch('/tasks?limit=1', { headers })).status).toBe(200)
      }
      expect((await place.api.fetch('/metrics')).status).toBe(200)
    })

    it('an Idempotency-Key belongs to one API key', async () => {
      const cat = await picture({ width: 60, height: 40 })
      const idempotent = { 'idempotency-key': newKey() }
      const [first, second] = KEYS.map((key) => clientOf(place.api.url, { 'x-api-key': key, ...idempotent }))
      const one = await taskOf(await first!.upload(cat))
      const other = await second!.upload(cat)
      expect(other.headers.has('idempotent-replayed')).toBe(false)
      expect((await taskOf(other)).id).not.toBe(one.id)
      expect((await taskOf(await first!.upload(cat))).id).toBe(one.id)
    })

    it('listens beyond this machine, under any name, and lets other sites post with a key', async () => {
      const headers = { host: 'pictures.example', 'sec-fetch-site': 'cross-site', 'x-api-key': KEYS[0] }
      expect((await ask(`${place.api.url}/tasks`, headers)).status).toBe(200)
      expect((await ask(`${place.api.url}/tasks`, headers, 'POST')).body).toMatchObject({ code: 'invalid-request' })
    })

    uploadLinks(place, SIGNING_KEYS[0])

    describe('signed links', () => {
      it('give no link that outlives the one that opened the task', async () => {
        const exp = nowSeconds() + 600
        const path = `/tasks/${task.id}`
        const read = await stranger.fetch(signed(path, SIGNING_KEYS[0], exp))
        const events = await stranger.fetch(signed(path, SIGNING_KEYS[0], exp), {
          headers: { accept: 'text/event-stream' },
        })
        for (const text of [await read.text(), await events.text()]) {
          const ends = [...text.matchAll(/exp=(\d+)/g)].map(([, end]) => Number(end))
          expect(new Set(ends)).toEqual(new Set([exp]))
        }
      })

      it('opens a variant that is not made yet, from the first answer on', async () => {
        const created = await taskOf(
          await place.api.upload(await picture({ width: 3000, height: 2000 }), { variants: '900x' }),
        )
        expect(created.variants).toEqual([])
        const response = await stranger.fetch(`${created.links.variants['900x']}&wait=20`)
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
        await response.arrayBuffer()
      })

      it('of variants, original and events open without a key', async () => {
        const { links, variants } = task
        for (const link of [variants[0]!.href, links.original!, links.events]) {
          expect(link).toMatch(/\?exp=\d+&sig=[\w-]+$/)
          const response = await stranger.fetch(link)
          expect(response.status).toBe(200)
        }
        const events = await stranger.fetch(links.events, { headers: { accept: 'text/event-stream' } })
        expect([events.status, await events.text()]).toEqual([200, expect.stringContaining('"completed"')])
        expect(links.self).toBe(`/tasks/${task.id}`)
      })

      it('are equal for two who read within a window, and so is the ETag', async () => {
        const [one, two] = [await place.api.fetch(task.links.self), await place.api.fetch(task.links.self)]
        expect(one.headers.get('etag')).toBe(two.headers.get('etag'))
        expect(await taskOf(one)).toEqual(await taskOf(two))
        const exp = Number(new URL(task.variants[0]!.href, place.api.url).searchParams.get('exp'))
        expect(exp % DAY_SECONDS).toBe(0)
        expect(exp - nowSeconds()).toBeGreaterThan(7 * DAY_SECONDS - 60)
        expect(exp - nowSeconds()).toBeLessThanOrEqual(8 * DAY_SECONDS)
      })

      it('make private answers that live as long as the link', async () => {
        const { href } = task.variants[0]!
        const response = await stranger.fetch(href)
        const left = Number(new URL(href, place.api.url).searchParams.get('exp')) - nowSeconds()
        expect(response.headers.get('cache-control')).toMatch(/^private, max-age=\d+/)
        expect(Math.abs(maxAge(response) - left)).toBeLessThan(30)
        const distant = await stranger.fetch(signed(path, SIGNING_KEYS[0], nowSeconds() + 9_000 * DAY_SECONDS))
        expect(maxAge(distant)).toBe(365 * DAY_SECONDS)
      })

      it('that are altered or expired, or of another path, are 403', async () => {
        const later = nowSeconds() + 1_000
        const good = signed(path, SIGNING_KEYS[0], later)
        expect((await stranger.fetch(good)).status).toBe(200)
        for (const bad of [
          signed(path, SIGNING_KEYS[0], nowSeconds() - 10),
          good.replace(`exp=${later}`, `exp=${later + 1}`),
          good.replace(/sig=(.)/, (_match, first: string) => `sig=${first === 'A' ? 'B' : 'A'}`),
          good.replace(/&sig=.*/, '&sig='),
          good.replace(/exp=\d+&/, ''),
          `${good}&sig=another`,
          `${good}&exp=${later + 1}`,
          good.replace('/variants/100x', '/original'),
          signed(path, 'another-signing-key-of-nobody', later),
          signed(path, KEYS[0], later),
        ])
          expect([bad, await answerOf(await stranger.fetch(bad))]).toEqual([bad, '403 link-invalid'])
      })

      it('go on to open when a new key has come in front of theirs', async () => {
        expect((await stranger.fetch(signed(path, SIGNING_KEYS[1], nowSeconds() + 1_000))).status).toBe(200)
      })

      it('open nothing that changes', async () => {
        const self = signed(`/tasks/${task.id}`, SIGNING_KEYS[0], nowSeconds() + 1_000)
        expect((await stranger.fetch(self)).status).toBe(200)
        expect(await answerOf(await stranger.fetch(self, { method: 'DELETE' }))).toBe('401 unauthorized')
      })

      it('carry other parameters beside the signature', async () => {
        const response = await stranger.fetch(`${task.variants[0]!.href}&wait=1&format=jpeg`)
        expect(response.status).toBe(200)
      })
    })

    it('access=public: links unsigned, answers public, open to everybody', async () => {
      const response = await place.api.upload(await picture(), { access: 'public', variants: '100x' }, WAIT)
      const open = await taskOf(response)
      expect(open.options.access).toBe('public')
      for (const link of [open.variants[0]!.href, open.links.original!]) {
        expect(link).not.toContain('sig=')
        const found = await stranger.fetch(link)
        expect([found.status, found.headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable'])
      }
      expect((await stranger.fetch(open.links.self)).status).toBe(200)
      expect(await answerOf(await stranger.fetch(open.links.self, { method: 'DELETE' }))).toBe('401 unauthorized')
      const list = (await (await place.api.fetch('/tasks?limit=1')).json()) as { items: TaskRepresentation[] }
      expect(list.items[0]).toEqual(await place.api.get(open.id))
    })

    it('with a key the answer is private and stays for a year', async () => {
      const response = await place.api.fetch(path)
      expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
    })
  })
}
