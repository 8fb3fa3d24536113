/** GET /tasks/{taskId}: conditions, long-poll and event stream. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { answerOf, taskOf } from './client.ts'
import { eventsOf, type ServerEvent } from './event-stream.ts'
import type { Place } from './running.ts'

export const UNKNOWN_ID = '01999999-9999-7999-8999-999999999999'
const EVENTS = { accept: 'text/event-stream' }

export function gettingTasks(place: Place): void {
  describe('GET /tasks/{taskId}', () => {
    let task: TaskRepresentation
    beforeAll(async () => {
      task = await place.api.completed(await picture(), { variants: '100x' })
    })

    it('gives the task, to be asked for again before it is used', async () => {
      const response = await place.api.fetch(task.links.self)
      expect(response.status).toBe(200)
      expect(response.headers.get('cache-control')).toBe('no-cache')
      expect(response.headers.get('vary')).toContain('Accept')
      expect(response.headers.get('etag')).toMatch(/^"[^"]+"$/)
      expect(await taskOf(response)).toEqual(task)
    })

    it('answers 304 to the ETag, in a list, weak or as a star, and 200 to another', async () => {
      const etag = (await place.api.fetch(task.links.self)).headers.get('etag')!
      for (const names of [etag, `"other", W/${etag}`, '*']) {
        const response = await place.api.fetch(task.links.self, { headers: { 'if-none-match': names } })
        expect([response.status, await response.text()]).toEqual([304, ''])
        expect(response.headers.get('etag')).toBe(etag)
      }
      const other = await place.api.fetch(task.links.self, { headers: { 'if-none-match': '"other"' } })
      expect(other.status).toBe(200)
    })

    it('answers 412 to If-Match with another ETag, also before it would answer 304', async () => {
      const etag = (await place.api.fetch(task.links.self)).headers.get('etag')!
      for (const headers of [
        { 'if-match': '"other"' },
        { 'if-match': `W/${etag}` },
        { 'if-match': '"o"', 'if-none-match': etag },
      ])
        expect(await answerOf(await place.api.fetch(task.links.self, { headers }))).toBe('412 precondition-failed')
      expect((await place.api.fetch(task.links.self, { headers: { 'if-match': etag } })).status).toBe(200)
    })

    it('answers HEAD as GET without the body', async () => {
      const [get, head] = [
        await place.api.fetch(task.links.self),
        await place.api.fetch(task.links.self, { method: 'HEAD' }),
      ]
      expect([head.status, await head.text()]).toEqual([200, ''])
      for (const name of ['content-type', 'etag', 'cache-control', 'vary'])
        expect(head.headers.get(name)).toBe(get.headers.get(name))
    })

    it('holds the answer with Prefer: wait until the task has ended', async () => {
      const { links } = await taskOf(await place.api.upload(await picture()))
      const response = await place.api.fetch(links.self, { headers: { prefer: 'wait=20' } })
      expect(response.headers.get('preference-applied')).toBe('wait=20')
      expect(await taskOf(response)).toMatchObject({ status: 'completed', progress: 1 })
    })

    it('streams an event for each change until the task has ended, each with an id', async () => {
      const { id, links } = await taskOf(await place.api.upload(await picture(), { variants: '90x,80x,70x,60x' }))
      const response = await place.api.fetch(links.events, { headers: EVENTS })
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      const events: ServerEvent[] = []
      for await (const event of eventsOf(response)) events.push(event)
      expect(events.every(({ event, data }) => event === 'task' && data?.id === id)).toBe(true)
      expect(new Set(events.map((event) => event.id)).size).toBe(events.length)
      const progress = events.map(({ data }) => data!.progress)
      expect(progress).toEqual(progress.toSorted((a, b) => a - b))
      expect(events.at(-1)!.data).toEqual(await place.api.get(id))
      expect(events.at(-1)!.data!.status).toBe('completed')
    })

    it('gives the end to who comes late, and 204 to who has it, so that EventSource stops', async () => {
      const events: ServerEvent[] = []
      for await (const event of eventsOf(await place.api.fetch(task.links.events, { headers: EVENTS })))
        events.push(event)
      expect(events.map(({ data }) => data?.status)).toEqual(['completed'])
      const headers = { ...EVENTS, 'last-event-id': events[0]!.id! }
      expect((await place.api.fetch(task.links.events, { headers })).status).toBe(204)
    })

    it.each([
      UNKNOWN_ID,
      'nonsense',
      UNKNOWN_ID.toUpperCase(),
      `${UNKNOWN_ID}0`,
      '..%2f..%2fetc',
      '%00',
      '%ff',
      'a'.repeat(3_000),
    ])('does not know %.40s', async (id) => {
      expect(await answerOf(await place.api.fetch(`/tasks/${id}`))).toBe('404 not-found')
      expect(await answerOf(await place.api.fetch(`/tasks/${id}`, { headers: EVENTS }))).toBe('404 not-found')
    })
  })
}
