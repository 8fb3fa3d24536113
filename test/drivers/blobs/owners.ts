import { describe, expect, it } from 'vitest'
import type { OpenBlobStore } from '../blobs.ts'

export function owning(open: () => Promise<OpenBlobStore>): void {
  describe('owners', () => {
    it('are none before one is noted', async () => {
      await using store = await open()
      expect(await store.blobs.owners()).toEqual([])
      expect(await store.blobs.listTasks('', 10)).toEqual([])
    })

    it('is who was noted first, and no task', async () => {
      await using store = await open()
      expect(await store.blobs.owners('first')).toEqual(['first'])
      expect(await store.blobs.owners('second')).toEqual(['first'])
      expect(await store.blobs.owners()).toEqual(['first'])
      expect(await store.blobs.listTasks('', 10)).toEqual([])
    })

    it('of many that are noted at once, one stays, and all are told which', async () => {
      await using store = await open()
      const many = Array.from({ length: 20 }, (_, at) => `id-${at}`)
      const told = await Promise.all(many.map((id) => store.blobs.owners(id)))
      expect(new Set(told.flat())).toHaveLength(1)
      expect(await store.blobs.owners()).toEqual(told[0])
    })
  })
}
