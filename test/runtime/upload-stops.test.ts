/** An upload that stops arriving is answered with 408, which says that nothing was stored. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import createTask from '../../functions/create-task/index.ts'
import { picture } from '../pictures.ts'
import { inlineFunction } from './function.ts'

test('what came of it goes, and its idempotency key is free at once', async () => {
  const bytes = await picture({ width: 1_600, height: 1_200, quality: 98 })
  await using fn = await inlineFunction(createTask, { timeoutMs: 300 })
  const stalled = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(bytes.subarray(0, bytes.length / 2))),
  })
  const headers = { 'content-type': 'image/jpeg', 'idempotency-key': 'stopped' }
  const send = async (body: Uint8Array | ReadableStream, isComplete: boolean): Promise<Response> => {
    const request = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
    return await fn.call('/tasks', request, { bytesRead: () => 7, bodyComplete: () => isComplete })
  }
  const input = async (): Promise<string[]> => await readdir(join(fn.bindings.folder, 'input')).catch(() => [])
  const stopping = send(stalled, false)
  await expect.poll(input).toHaveLength(1)
  expect((await stopping).status).toBe(408)
  await expect.poll(input).toEqual([])
  await expect.poll(async () => (await send(new Uint8Array(bytes), true)).status, { timeout: 3_000 }).toBe(202)
})
