/** Idempotency-Key: one key, one task, however often the request is sent. */
import { beforeAll, describe, expect, it } from 'vitest'
import { picture } from '../pictures.ts'
import { answerOf, problemOf, taskOf, WAIT } from './client.ts'
import { beginUpload, type Slow } from './raw-request.ts'
import type { Place } from './running.ts'

let serial = 0
/** A key that no other scenario uses. */
export function newKey(): string {
  return `scenario-${Date.now()}-${serial++}`
}

export function idempotency(place: Place): void {
  describe('Idempotency-Key', () => {
    let cat: Buffer
    let dog: Buffer
    beforeAll(async () => {
      cat = await picture({ width: 200, height: 150 })
      dog = await picture({ width: 150, height: 200 })
    })
    const small = { variants: '100x' }
    const keyed = (key: string): Record<string, string> => ({ 'idempotency-key': key })

    it('the same again gets the same task, and says so; quoted or bare, as form or raw', async () => {
      const key = newKey()
      const first = await place.api.upload(cat, small, keyed(key))
      expect([first.status, first.headers.has('idempotent-replayed')]).toEqual([202, false])
      const task = await taskOf(first)
      for (const again of [
        await place.api.upload(cat, small, keyed(key)),
        await place.api.upload(cat, small, keyed(`"${key}"`)),
        await place.api.raw(cat, small, keyed(key)),
        await place.api.upload(cat, { variants: '100x', format: 'jpeg', original: 'keep' }, keyed(key)),
      ]) {
        expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true'])
        expect((await taskOf(again)).id).toBe(task.id)
      }
      const waited = await place.api.upload(cat, small, { ...keyed(key), ...WAIT })
      expect([waited.status, waited.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
      expect(await taskOf(waited)).toMatchObject({ id: task.id, status: 'completed' })
      const files = (await place.runtime.files()).filter((file) => file.startsWith(`input/${task.id}`))
      expect(files).toEqual([`input/${task.id}/original.jpg`])
    })

    it('two keys are none: 400', async () => {
      const twice = new Headers([
        ['idempotency-key', newKey()],
        ['idempotency-key', newKey()],
      ])
      for (const headers of [Object.fromEntries(twice), keyed('"a", "b"'), keyed('ab"c')]) {
        const { answer, errors } = await problemOf(await place.api.upload(cat, small, headers))
        expect([answer, errors?.map(({ pointer }) => pointer)]).toEqual(['400 invalid-request', ['Idempotency-Key']])
      }
    })

    it('sent many times at once, it makes one task', async () => {
      const key = newKey()
      const responses = await Promise.all(
        Array.from({ length: 8 }, async () => await place.api.upload(cat, small, keyed(key))),
      )
      const kinds = await Promise.all(
        responses.map(async (response) =>
          response.status === 202 ? (await taskOf(response)).id : await answerOf(response),
        ),
      )
      const ids = new Set(kinds.filter((kind) => kind !== '409 request-in-progress'))
      expect(ids.size).toBe(1)
    })

    it('another image or another option is 422, and changes nothing', async () => {
      const key = newKey()
      const { id } = await taskOf(await place.api.upload(cat, small, keyed(key)))
      for (const response of [
        await place.api.upload(dog, small, keyed(key)),
        await place.api.upload(cat, { variants: '101x' }, keyed(key)),
        await place.api.upload(cat, { ...small, metadata: '{"a":"b"}' }, keyed(key)),
        await place.api.json({ taskId: id }, keyed(key)),
      ])
        expect(await answerOf(response)).toBe('422 idempotency-key-reused')
      expect((await taskOf(await place.api.upload(cat, small, keyed(key)))).id).toBe(id)
    })

    it('while the first still runs: 409 with Retry-After', async () => {
      /** Both ask the store at once: where the second was faster, nothing is learned, and another key is taken. */
      const begun = async (tries = 10): Promise<{ key: string; first: Slow; second: Response }> => {
        const key = newKey()
        const headers = { ...keyed(key), 'content-type': 'image/jpeg', 'content-length': String(cat.length) }
        const first = await beginUpload(place.api.url, headers)
        first.write(cat.subarray(0, 1_000))
        const second = await place.api.raw(cat, {}, keyed(key))
        if (second.status !== 202 || tries === 0) return { key, first, second }
        first.drop()
        return await begun(tries - 1)
      }
      const { key, first, second } = await begun()
      expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await answerOf(second)).toBe('409 request-in-progress')
      first.write(cat.subarray(1_000))
      first.end()
      const { status, body } = await first.answer
      expect(status).toBe(202)
      const third = await place.api.raw(cat, {}, keyed(key))
      expect((await taskOf(third)).id).toBe(body.id)
    })

    it('a request that was refused frees its key', async () => {
      const key = newKey()
      expect(await answerOf(await place.api.upload(Buffer.from('text'), small, keyed(key)))).toBe(
        '415 unsupported-image',
      )
      expect((await place.api.upload(cat, small, keyed(key))).status).toBe(202)
    })

    it('a request whose client went away frees its key', async () => {
      const key = newKey()
      const headers = { ...keyed(key), 'content-type': 'image/jpeg', 'content-length': String(cat.length) }
      const gone = await beginUpload(place.api.url, headers)
      gone.write(cat.subarray(0, 1_000))
      gone.drop()
      await expect.poll(async () => (await place.api.raw(cat, {}, keyed(key))).status).toBe(202)
    })

    it('its task deleted: 410', async () => {
      const key = newKey()
      const { id } = await taskOf(await place.api.upload(cat, small, keyed(key)))
      expect((await place.api.fetch(`/tasks/${id}`, { method: 'DELETE' })).status).toBe(204)
      const { answer, detail } = await problemOf(await place.api.upload(cat, small, keyed(key)))
      expect([answer, detail]).toEqual(['410 task-deleted', expect.stringContaining('deleted')])
    })

    it('works for a task from another task, and takes 255 characters', async () => {
      const { id } = await place.api.completed(cat, small)
      const key = newKey().padEnd(255, '.')
      const [first, again] = [
        await place.api.json({ taskId: id, variants: '50x' }, keyed(key)),
        await place.api.json({ variants: ['50x'], taskId: id }, keyed(key)),
      ]
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect((await taskOf(again)).id).toBe((await taskOf(first)).id)
    })
  })
}
