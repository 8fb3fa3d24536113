/** While a task is under way: held by a source that answers when the scenario lets it, in the only slot of each worker. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { picture } from '../pictures.ts'
import { answerOf, taskOf } from './client.ts'
import { eventsOf } from './event-stream.ts'
import { running } from './running.ts'
import { type SourceServer, sourceServer } from './source-server.ts'
import type { Target } from './target.ts'

export function underway(target: Target): void {
  describe('under way', () => {
    const place = running(target, { CONCURRENCY: '1', ALLOW_HOSTS: '127.0.0.1' })
    let source: SourceServer
    let cat: Buffer
    beforeAll(async () => {
      source = await sourceServer()
      cat = await picture()
    })
    afterAll(async () => await source[Symbol.asyncDispose]())

    let serial = 0
    /** A task that is being processed and stays so until it is released. */
    const held = async (options: Record<string, unknown> = { variants: ['90x'] }) => {
      const { url, asked, release } = source.held(`/held-${serial++}.jpg`, cat)
      const task = await taskOf(await place.api.json({ url, ...options }))
      await asked
      return { ...task, release, path: `/tasks/${task.id}` }
    }
    /** Tasks that hold every slot there is; the last of them, and the release of all. */
    const heldAll = async () => {
      const tasks = await Promise.all(Array.from({ length: target.workers ?? 1 }, () => held()))
      const ids = tasks.map(({ id }) => id)
      return { path: tasks.at(-1)!.path, ids, release: () => tasks.forEach((task) => task.release()) }
    }
    const wait = async (path: string, seconds: number) =>
      await taskOf(await place.api.fetch(path, { headers: { prefer: `wait=${seconds}` } }))
    const waiting = async (): Promise<number> => await place.messages('waiting')

    it('a task that is waited for too shortly is answered as it is', async () => {
      const { path, release, id } = await held()
      expect(await wait(path, 1)).toMatchObject({ status: 'processing', attempts: 1, completedAt: null, variants: [] })
      const created = await place.api.json({ taskId: id })
      expect(Number(created.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await answerOf(created)).toBe('409 task-not-finished')
      release()
      expect(await wait(path, 30)).toMatchObject({ status: 'completed' })
    })

    it('POST with a wait that is too short: 202 with the task', async () => {
      const { url, release } = source.held('/posted.jpg', cat)
      const response = await place.api.json({ url }, { prefer: 'wait=1' })
      expect([response.status, response.headers.get('preference-applied')]).toEqual([202, 'wait=1'])
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
      const { links } = await taskOf(response)
      release()
      expect(await wait(links.self, 30)).toMatchObject({ status: 'completed' })
    })

    it('a variant is 409 with Retry-After until it is there, and so is the original', async () => {
      const { path, release } = await held()
      for (const link of [`${path}/variants/90x`, `${path}/original`, `${path}/variants/90x?wait=1`]) {
        const response = await place.api.fetch(link)
        expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
        expect(await answerOf(response)).toBe('409 task-not-finished')
      }
      expect(await answerOf(await place.api.fetch(`${path}/variants/91x`))).toBe('404 not-found')
      release()
      expect((await wait(path, 30)).variants).toHaveLength(1)
    })

    it('a link put into a page before the processing is done shows the picture', async () => {
      const { path, release } = await held()
      const asked = [`${path}/variants/90x?wait=20`, `${path}/original?wait=20`].map(
        async (link) => await place.api.fetch(link, { headers: { accept: 'image/*' } }),
      )
      release()
      const [variant, original] = await Promise.all(asked)
      expect([variant!.status, variant!.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
      expect(Buffer.from(await original!.arrayBuffer())).toEqual(cat)
    })

    it('all who wait hear of the end at once, and of a deletion too', async () => {
      const first = await held()
      const waiters = Array.from({ length: 5 }, async () => await wait(first.path, 30))
      first.release()
      for (const task of await Promise.all(waiters)) expect(task.status).toBe('completed')

      const second = await held()
      const asked = [second.path, `${second.path}/variants/90x?wait=20`].map(
        async (link) => await place.api.fetch(link, { headers: { prefer: 'wait=20' } }),
      )
      const events = await place.api.fetch(second.path, { headers: { accept: 'text/event-stream' } })
      const iterator = eventsOf(events)
      expect((await iterator.next()).value).toMatchObject({ event: 'task', data: { status: 'processing' } })
      expect((await place.api.fetch(second.path, { method: 'DELETE' })).status).toBe(204)
      expect((await iterator.next()).value).toMatchObject({ event: 'deleted' })
      expect((await iterator.next()).done).toBe(true)
      for (const response of await Promise.all(asked)) expect(await answerOf(response)).toBe('404 not-found')
      second.release()
      // Its writes match nothing, and what it stored it takes away.
      await expect
        .poll(async () => (await place.runtime.files()).filter((file) => file.includes(second.id)))
        .toEqual([])
    })

    it('a task that waits in the queue is listed as pending, and its deletion takes its message along', async () => {
      const { release, path, ids } = await heldAll()
      const behind = await taskOf(await place.api.upload(cat, { variants: '9x' }))
      await expect.poll(waiting).toBe(1)
      const list = async (status: string): Promise<string[]> => {
        const { items } = (await (await place.api.fetch(`/tasks?status=${status}`)).json()) as {
          items: { id: string }[]
        }
        return items.map((item) => item.id)
      }
      expect(await list('pending')).toEqual([behind.id])
      expect((await list('processing')).toSorted()).toEqual(ids.toSorted())
      expect((await place.api.fetch(behind.links.self, { method: 'DELETE' })).status).toBe(204)
      expect(await waiting()).toBe(0)
      expect((await place.runtime.files()).filter((file) => file.includes(behind.id))).toEqual([])
      release()
      expect((await wait(path, 30)).status).toBe('completed')
    })

    it('a WebP that is not there in time: the JPEG for a minute, so that no cache pins it; ?format 503', async () => {
      const { variants } = await place.api.completed(cat, { variants: '70x' })
      const { href } = variants[0]!
      const { release, path } = await heldAll()
      const stopgap = await place.api.fetch(href, { headers: { accept: 'image/webp' } })
      expect(Object.fromEntries(stopgap.headers)).toMatchObject({
        'content-type': 'image/jpeg',
        'cache-control': 'public, max-age=60',
        vary: expect.stringContaining('Accept'),
      })
      const fixed = await place.api.fetch(`${href}?format=webp`)
      expect(Number(fixed.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await answerOf(fixed)).toBe('503 unavailable')
      release()
      expect((await wait(path, 30)).status).toBe('completed')
      const type = async (): Promise<string | null> =>
        (await place.api.fetch(href, { headers: { accept: 'image/webp' } })).headers.get('content-type')
      await expect.poll(type, { timeout: 20_000 }).toBe('image/webp')
    })
  })
}
