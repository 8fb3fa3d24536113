/** The callback: a signed CloudEvent to the client, tried again until it is taken or refused for good. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TaskRepresentation, TaskSchema } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { answerOf, taskOf, WAIT } from './client.ts'
import { type Place, running } from './running.ts'
import { type SourceServer, sourceServer } from './source-server.ts'
import type { Target } from './target.ts'

const SECRETS = ['new', 'old'].map((name) => `whsec_${Buffer.from(name.padEnd(24, '.')).toString('base64')}`)
const PUBLIC_URL = 'https://pictures.example/api'

interface Received {
  headers: IncomingHttpHeaders
  body: string
}

export function callbacks(target: Target): void {
  // `expect` of the test's own: with several at once the global one does not know whose it is.
  describe.concurrent('callbackUrl', () => {
    const place = running(target, { WEBHOOK_SECRET: SECRETS.join(','), PUBLIC_URL, ALLOW_HOSTS: '127.0.0.1' })
    let client: SourceServer
    let cat: Buffer
    beforeAll(async () => {
      client = await sourceServer()
      cat = await picture({ width: 80, height: 60 })
    })
    afterAll(async () => await client[Symbol.asyncDispose]())

    /** A receiver that gives the statuses one after the other, and what it received up to the last of them. */
    const receiver = (path: string, statuses: number[]) => {
      const { promise, resolve } = Promise.withResolvers<Received[]>()
      const received: Received[] = []
      const url = client.at(path, (response: ServerResponse, request) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
          response.writeHead(statuses[received.length - 1] ?? 200).end()
          if (received.length === statuses.length) resolve(received)
        })
      })
      return { url, all: promise }
    }
    const eventOf = ({ headers, body }: Received, secret: string) =>
      new Webhook(secret).verify(body, headers as Record<string, string>) as {
        id: string
        type: string
        subject: string
        specversion: string
        source: string
        data: TaskRepresentation
      }
    const callbackOf = async (id: string) => (await place.api.get(id)).callback

    it('gets the finished task, signed, with absolute links', async ({ expect }) => {
      const { url, all } = receiver('/done', [200])
      const task = await place.api.completed(cat, { callbackUrl: url, variants: '9x', metadata: '{"order":"7"}' })
      const [received] = await all
      expect(received!.headers['content-type']).toMatch(/^application\/cloudevents\+json/)
      for (const secret of SECRETS) {
        const event = eventOf(received!, secret)
        expect(event).toMatchObject({ specversion: '1.0', type: 'task.completed', subject: task.id })
        expect(event.id).toBe(received!.headers['webhook-id'])
        const data = TaskSchema.parse(event.data)
        expect(data).toMatchObject({ id: task.id, status: 'completed', metadata: { order: '7' } })
        expect(data.links.self).toBe(`${PUBLIC_URL}/tasks/${task.id}`)
        expect(data.variants[0]!.href).toBe(`${PUBLIC_URL}/tasks/${task.id}/variants/9x`)
      }
      expect(() => eventOf(received!, `whsec_${Buffer.from('x'.repeat(24)).toString('base64')}`)).toThrow('signature')
      expect(() => eventOf({ ...received!, body: `${received!.body} ` }, SECRETS[0]!)).toThrow('signature')
      await expect
        .poll(async () => await callbackOf(task.id))
        .toEqual({ status: 'delivered', attempts: 1, lastStatus: 200 })
    })

    it('gets the end of a task that failed', async ({ expect }) => {
      const { url, all } = receiver('/failed', [204])
      const cut = (await picture()).subarray(0, 9_000)
      const task = await taskOf(await place.api.upload(cut, { callbackUrl: url }, WAIT))
      const event = eventOf((await all)[0]!, SECRETS[0]!)
      expect(event).toMatchObject({ type: 'task.failed', data: { status: 'failed', error: task.error } })
      await expect.poll(async () => await callbackOf(task.id)).toMatchObject({ status: 'delivered', lastStatus: 204 })
    })

    it('is tried again after a 500, with the same id', { timeout: 60_000 }, async ({ expect }) => {
      const { url, all } = receiver('/again', [500, 200])
      const { id } = await place.api.completed(cat, { callbackUrl: url, variants: '9x' })
      await expect
        .poll(async () => await callbackOf(id))
        .toMatchObject({ status: 'pending', attempts: 1, lastStatus: 500 })
      const [first, second] = await all
      expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
      expect(Number(second!.headers['webhook-timestamp'])).toBeGreaterThan(Number(first!.headers['webhook-timestamp']))
      expect(eventOf(second!, SECRETS[0]!).data.id).toBe(id)
      await expect
        .poll(async () => await callbackOf(id))
        .toMatchObject({ status: 'delivered', attempts: 2, lastStatus: 200 })
    })

    it('that answers 410 is given up', async ({ expect }) => {
      const { url, all } = receiver('/gone', [410])
      const { id } = await place.api.completed(cat, { callbackUrl: url, variants: '9x' })
      await all
      await expect.poll(async () => await callbackOf(id)).toEqual({ status: 'failed', attempts: 1, lastStatus: 410 })
    })

    it('that redirects is not followed to where it leads', async ({ expect }) => {
      client.status('/elsewhere', 200)
      const url = client.status('/redirecting', 307, { location: '/elsewhere' })
      const { id } = await place.api.completed(cat, { callbackUrl: url, variants: '9x' })
      await expect
        .poll(async () => await callbackOf(id))
        .toMatchObject({ status: 'pending', attempts: 1, lastStatus: 307 })
      expect(client.visits('/elsewhere')).toBe(0)
      expect((await place.api.fetch(`/tasks/${id}`, { method: 'DELETE' })).status).toBe(204)
    })

    it.each([
      'http://127.0.0.2/',
      'http://169.254.169.254/',
      'http://localhost/',
      'ftp://127.0.0.1/',
      'http://a:b@127.0.0.1/',
    ])('may not be %s', async (callbackUrl) => {
      expect(await answerOf(await place.api.upload(cat, { callbackUrl }))).toBe('422 url-not-allowed')
    })

    it('and PUBLIC_URL make every link absolute', async ({ expect }) => {
      const response = await place.api.upload(cat, { variants: '9x' }, WAIT)
      const task = await taskOf(response)
      expect(response.headers.get('location')).toBe(task.links.self)
      const { variants, ...links } = task.links
      for (const link of [...Object.values(links), ...Object.values(variants), task.variants[0]!.href])
        expect(link).toMatch(new RegExp(`^${PUBLIC_URL}/tasks/${task.id}`))
      const problem = (await (await place.api.fetch('/tasks/none')).json()) as { type: string }
      expect(problem.type).toBe(`${PUBLIC_URL}/problems/not-found`)
      const list = await place.api.fetch('/tasks?limit=1')
      expect(list.headers.get('link')).toMatch(new RegExp(`^<${PUBLIC_URL}/tasks\\?`))
    })
  })
}

/** On a server that has not been set up for callbacks. */
export function callbacksUnset(place: Place): void {
  it('callbackUrl without WEBHOOK_SECRET and PUBLIC_URL is 422', async () => {
    const response = await place.api.upload(await picture({ width: 60, height: 40 }), {
      callbackUrl: 'https://a.example/',
    })
    expect(await answerOf(response)).toBe('422 callback-not-configured')
  })
}
