/** Sources that take too long. They are begun first and looked at last, because it takes as long as it takes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { picture } from '../pictures.ts'
import { until } from '../runtime/until.ts'
import { taskOf } from './client.ts'
import { eventsOf, type ServerEvent } from './event-stream.ts'
import { running } from './running.ts'
import { type SourceServer, sourceServer } from './source-server.ts'
import type { Target } from './target.ts'

const STREAMS_MAX = 5

/** Call it where the scenarios begin, and what it returns where they end. */
export function slowSources(target: Target): () => void {
  const place = running(target, { ALLOW_HOSTS: '127.0.0.1', MAX_RETRIES: '0' })
  let source: SourceServer
  let ends: Promise<ServerEvent[]>[] = []
  /** Sent again when it is 503: other targets start at this moment, and a store has its time limits. */
  const accepted = async (url: string): Promise<Response> =>
    await until('accepted', async () => {
      const response = await place.api.json({ url })
      return response.status === 503 ? null : response
    })
  const follow = async (url: string): Promise<ServerEvent[]> => {
    const { links } = await taskOf(await accepted(url))
    const events: ServerEvent[] = []
    // As EventSource does it: a stream that breaks off before the end is begun anew.
    for (let tries = 0; tries < STREAMS_MAX && events.at(-1)?.data?.completedAt == null; tries++) {
      try {
        const stream = await place.api.fetch(links.events, { headers: { accept: 'text/event-stream' } })
        for await (const event of eventsOf(stream)) events.push(event)
      } catch {
        // A store that was away for a moment.
      }
    }
    return events
  }
  beforeAll(async () => {
    source = await sourceServer()
    const cat = await picture()
    const dripping = source.at('/dripping.jpg', (response) => void response.write(cat.subarray(0, 5_000)))
    ends = [follow(source.held('/silent.jpg', cat).url), follow(dripping)]
    for (const end of ends) end.catch(() => undefined)
  })
  afterAll(async () => await source[Symbol.asyncDispose]())

  return () =>
    describe('a source that is slow', () => {
      it.each([
        [0, 'says nothing'],
        [1, 'stops in the middle'],
      ])('fails the task with source-timeout: one that %1$s', { timeout: 60_000 }, async (index) => {
        const events = await ends[index]!
        expect(events.at(-1)!.data).toMatchObject({ status: 'failed', error: { code: 'source-timeout' } })
        // Longer than the silence after which a stream says that it is still there.
        expect(events.some(({ comment }) => comment)).toBe(true)
      })

      it('and leaves its slot to the next', async () => {
        const url = source.file('/good.jpg', await picture())
        const { links } = await taskOf(await place.api.json({ url }))
        expect(await taskOf(await place.api.fetch(links.self, { headers: { prefer: 'wait=30' } }))).toMatchObject({
          status: 'completed',
        })
      })
    })
}
