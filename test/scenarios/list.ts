/** GET /tasks: newest first, filters, pages. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture, truncated } from '../pictures.ts'
import { answerOf, problemOf, taskOf, WAIT } from './client.ts'
import type { Place } from './running.ts'

interface Page {
  items: TaskRepresentation[]
  nextCursor: string | null
}

export function listing(place: Place): void {
  describe('GET /tasks', () => {
    const album = `album-${Date.now()}`
    const mine = `metadata.album=${album}`
    let made: string[] = []
    let failed: string
    beforeAll(async () => {
      const cat = await picture({ width: 60, height: 40 })
      for (let index = 0; index < 5; index++) {
        const metadata = JSON.stringify({ album, index: String(index % 2), 'odd key &=ü': 'yes' })
        made.unshift((await place.api.completed(cat, { variants: '9x', metadata })).id)
      }
      const broken = truncated(await picture(), 0.5)
      failed = (await taskOf(await place.api.upload(broken, { metadata: JSON.stringify({ album }) }, WAIT))).id
    })
    const list = async (query: string): Promise<Page & { link: string | null }> => {
      const response = await place.api.fetch(`/tasks?${query}`)
      expect(response.status).toBe(200)
      return { ...((await response.json()) as Page), link: response.headers.get('link') }
    }
    const ids = ({ items }: Page): string[] => items.map(({ id }) => id)

    it('lists the newest first, each as it is shown alone', async () => {
      const page = await list(mine)
      expect(ids(page)).toEqual([failed, ...made])
      expect(page.nextCursor).toBeNull()
      expect(page.link).toBeNull()
      expect(page.items[1]).toEqual(await place.api.get(made[0]!))
    })

    it('filters by status, by code and by every metadata pair', async () => {
      expect(ids(await list(`${mine}&status=failed`))).toEqual([failed])
      expect(ids(await list(`${mine}&status=completed`))).toEqual(made)
      expect(ids(await list(`${mine}&status=pending`))).toEqual([])
      expect(ids(await list(`${mine}&code=image-corrupt`))).toEqual([failed])
      expect(ids(await list(`${mine}&code=image-too-many-pixels`))).toEqual([])
      expect(ids(await list(`${mine}&metadata.index=0`))).toEqual([made[0], made[2], made[4]])
      expect(ids(await list(`${mine}&metadata.index=0&metadata.album=other`.replace(`${mine}&`, '')))).toEqual([])
      expect(ids(await list(`${mine}&metadata.${encodeURIComponent('odd key &=ü')}=yes`))).toEqual(made)
    })

    it('pages by an opaque cursor and by Link, and new tasks shift nothing', async () => {
      const first = await list(`${mine}&limit=2`)
      expect(ids(first)).toEqual([failed, made[0]])
      await place.api.completed(await picture({ width: 60, height: 40 }), { variants: '9x' })
      const second = await list(`${mine}&limit=2&cursor=${first.nextCursor}`)
      expect(ids(second)).toEqual([made[1], made[2]])
      const [, next] = /^<([^>]+)>; rel="next"$/.exec(second.link!)!
      expect(new URL(next!, place.api.url).searchParams.get('limit')).toBe('2')
      const third = (await (await place.api.fetch(next!)).json()) as Page
      expect([ids(third), third.nextCursor]).toEqual([[made[3], made[4]], null])
    })

    it('takes a limit of 1 to 100, 20 unless said', async () => {
      expect((await list(`${mine}&limit=1`)).items).toHaveLength(1)
      expect((await list(`${mine}&limit=100`)).items).toHaveLength(6)
      const all = await list('')
      expect(all.items.length).toBeLessThanOrEqual(20)
    })

    it.each([
      'limit=0',
      'limit=101',
      'limit=x',
      'limit=1.5',
      'status=done',
      'code=whatever',
      'unknown=1',
      '=1',
      'metadata.=x',
      'metadata.a=1&metadata.a=2',
    ])('refuses %s with 400', async (query) => {
      expect(await answerOf(await place.api.fetch(`/tasks?${query}`))).toBe('400 invalid-request')
    })

    it.each([
      ['status', 'done', 'one of pending, processing, completed, failed'],
      ['limit', '500', 'a whole number of tasks from 1 to 100'],
    ])('says of %s=%s what was expected and what came', async (name, value, expected) => {
      const { errors } = await problemOf(await place.api.fetch(`/tasks?${name}=${value}`))
      expect(errors).toEqual([{ pointer: name, detail: `Expected ${expected}, got "${value}".` }])
    })

    it('refuses a cursor that is none, is altered, or is of other filters', async () => {
      const { nextCursor } = await list(`${mine}&limit=2`)
      const forged = Buffer.from('{"before":"x","filters":"y"}').toString('base64url')
      for (const query of [
        'cursor=nonsense',
        'cursor=',
        `cursor=${forged}`,
        `cursor=${nextCursor}`,
        `${mine}&cursor=${nextCursor}!!`,
        `${mine}&status=failed&cursor=${nextCursor}`,
      ])
        expect([query, await answerOf(await place.api.fetch(`/tasks?${query}`))]).toEqual([query, '400 invalid-cursor'])
    })
  })
}
