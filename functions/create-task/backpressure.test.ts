import { expect, test } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { KIB, MIB } from '#shared/limits.ts'
import { testBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { FORM, formBytes, imagePart, post, slices, streamOf } from './requests.fixture.ts'

/** What may lie between the sender and the store: a few chunks in the streams on the way. */
const AHEAD_MAX = MIB

const image = Buffer.concat([await picture({ width: 64, height: 64 }), Buffer.alloc(16 * MIB)])

test.each([
  ['raw', image, 'image/jpeg'],
  ['a form', formBytes([imagePart(image)]), FORM],
])('%s: the sender is never further ahead than the store can take', async (_name, bytes, type) => {
  await using env = await testBindings()
  let sent = 0
  let taken = 0
  let ahead = 0
  const counted = function* () {
    for (const chunk of slices(bytes, 64 * KIB)) {
      sent += chunk.length
      ahead = Math.max(ahead, sent - taken)
      yield chunk
    }
  }
  const { blobs } = env
  const put: BlobStore['put'] = async (key, source, signal) => {
    const slow = async function* () {
      if (source instanceof Uint8Array) throw new Error('Expected a stream.')
      for await (const chunk of source) {
        taken += chunk.length
        // Time enough for whatever does not wait to run ahead.
        await new Promise((resolve) => setImmediate(resolve))
        yield chunk
      }
    }
    return await blobs.put(key, slow(), signal)
  }
  env.blobs = { ...blobs, put }
  expect((await post(env, { body: streamOf(counted()), type })).status).toBe(202)
  expect(taken).toBe(image.length)
  expect(ahead).toBeLessThanOrEqual(AHEAD_MAX)
})
