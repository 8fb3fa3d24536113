/** DELETE, and tasks from other tasks: each goes alone. */
import { beforeAll, describe, expect, it } from 'vitest'
import { picture } from '../pictures.ts'
import { answerOf, taskOf, WAIT } from './client.ts'
import { expectBands, expectClean } from '../pixels.ts'
import { UNKNOWN_ID } from './get-task.ts'
import type { Place } from './running.ts'

export function deleting(place: Place): void {
  const filesOf = async (id: string): Promise<string[]> =>
    (await place.runtime.files()).filter((file) => file.includes(id))
  const remove = async (id: string): Promise<Response> => await place.api.fetch(`/tasks/${id}`, { method: 'DELETE' })

  describe('DELETE /tasks/{taskId}', () => {
    it('takes away the task, its original and its variants, read before or not', async () => {
      const task = await place.api.completed(await picture(), { variants: '90x,80x' })
      const links = [task.links.self, task.links.original!, ...task.variants.map(({ href }) => href)]
      for (const link of links) expect((await place.api.fetch(link)).status).toBe(200)
      expect(await filesOf(task.id)).toHaveLength(3)
      const response = await remove(task.id)
      expect([response.status, await response.text()]).toEqual([204, ''])
      expect(await filesOf(task.id)).toEqual([])
      for (const link of [...links, `${links[2]}?wait=5`])
        expect(await answerOf(await place.api.fetch(link))).toBe('404 not-found')
      const list = (await (await place.api.fetch('/tasks?limit=100')).json()) as { items: { id: string }[] }
      expect(list.items.map(({ id }) => id)).not.toContain(task.id)
      expect(await answerOf(await place.api.json({ taskId: task.id }))).toBe('404 not-found')
    })

    it('with conditions takes away only what the client has seen', async () => {
      const seen = await place.api.upload(await picture(), { variants: '90x' })
      const { links, id } = await taskOf(seen)
      const etagNow = async (prefer = 'wait=0'): Promise<string> =>
        (await place.api.fetch(links.self, { headers: { prefer } })).headers.get('etag')!
      const done = await etagNow('wait=20')
      const removeIf = async (headers: Record<string, string>): Promise<Response> =>
        await place.api.fetch(`/tasks/${id}`, { method: 'DELETE', headers })
      const dates = ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']
      const known = [{ 'if-none-match': '*' }, { 'if-none-match': done }]
      for (const headers of [
        { 'if-match': '"other"' },
        ...known,
        ...dates.map((date) => ({ 'if-unmodified-since': date })),
      ])
        expect(await answerOf(await removeIf(headers))).toBe('412 precondition-failed')
      expect(await etagNow()).toBe(done)
      expect((await removeIf({ 'if-match': done })).status).toBe(204)
      expect(await answerOf(await removeIf({ 'if-match': done }))).toBe('404 not-found')
    })

    it('a second time, or of an unknown id: 404', async () => {
      const { id } = await place.api.completed(await picture(), { variants: '9x' })
      expect((await remove(id)).status).toBe(204)
      for (const gone of [id, UNKNOWN_ID, 'nonsense', '..%2f'])
        expect(await answerOf(await remove(gone))).toBe('404 not-found')
    })
  })

  describe('a task from another task', () => {
    let cat: Buffer
    beforeAll(async () => {
      cat = await picture({ orientation: 6 })
    })

    it('makes new variants of the stored original, and names where it came from', async () => {
      const first = await place.api.completed(cat, { variants: '90x', metadata: '{"a":"b"}' })
      const response = await place.api.json({ taskId: first.id, variants: 'x90', format: 'webp' }, WAIT)
      expect(response.status).toBe(201)
      const second = await taskOf(response)
      expect(second).toMatchObject({ status: 'completed', retryOf: first.id, metadata: {} })
      expect(second.source).toEqual({ ...first.source, kind: 'task' })
      const bytes = await place.api.bytes(second.variants[0]!.href)
      await expectClean(bytes, { width: 120, height: 90, format: 'webp' })
      await expectBands(bytes, 14)
    })

    it.each(['first', 'second'])('the %s can be deleted alone', async (which) => {
      const first = await place.api.completed(cat, { variants: '90x' })
      const second = await taskOf(await place.api.json({ taskId: first.id, variants: '80x' }, WAIT))
      const [gone, kept] = which === 'first' ? [first, second] : [second, first]
      expect((await remove(gone.id)).status).toBe(204)
      expect(await filesOf(gone.id)).toEqual([])
      expect(await place.api.bytes(kept.links.original!)).toEqual(cat)
      expect((await place.api.fetch(kept.variants[0]!.href)).status).toBe(200)
      const third = await taskOf(await place.api.json({ taskId: kept.id, variants: '70x' }, WAIT))
      expect(third).toMatchObject({ status: 'completed', retryOf: kept.id })
    })

    it('retries a task that failed', async () => {
      const cut = cat.subarray(0, cat.length / 2)
      const first = await taskOf(await place.api.upload(cut, {}, WAIT))
      const second = await taskOf(await place.api.json({ taskId: first.id }, WAIT))
      expect(second).toMatchObject({ status: 'failed', retryOf: first.id, error: first.error })
      expect(await place.api.get(first.id)).toMatchObject({ status: 'failed' })
    })
  })
}
