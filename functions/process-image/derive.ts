/** `variant.wanted`: another encoding of a finished JPEG, made because somebody asked for it. */
import { z } from '@hono/zod-openapi'
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { type GivenUp, giveUp } from '#shared/given-up.ts'
import { DERIVED_FORMATS, type DerivedFormat, type VariantWanted } from '#shared/message.ts'
import { type BlobKey, VARIANT_NAME, variantKey } from '#shared/variant.ts'
import { PermanentFailure } from './failure.ts'
import { transcode } from './render.ts'

const WantedSchema = z.object({ variant: z.string().regex(VARIANT_NAME), format: z.enum(DERIVED_FORMATS) })

/** `pointless`: nothing to be made, or it is there. `given up`: no further attempt would make it. */
export type Derivation = 'derived' | 'pointless' | 'given up'

function wantedOf(data: unknown): VariantWanted {
  const wanted = WantedSchema.safeParse(data)
  if (wanted.success) return wanted.data
  throw new Problem('invalid-request', `Expected { variant, format } as event data: ${z.prettifyError(wanted.error)}`)
}

/** The JPEG as it is stored, made anew; or why that is in vain. */
async function encode(
  { blobs, invocation }: Bindings,
  from: BlobKey,
  format: DerivedFormat,
): Promise<Buffer | GivenUp> {
  const file = await blobs.asFile(from)
  if (!file) return 'lost'
  try {
    return await transcode(file.path, format)
  } catch (error) {
    if (!(error instanceof PermanentFailure)) throw error
    invocation.log.error('a stored variant cannot be decoded', { key: from, err: error })
    return 'failed'
  } finally {
    await file[Symbol.asyncDispose]()
  }
}

export async function deriveVariant(env: Bindings, id: string, data: unknown): Promise<Derivation> {
  const { tasks, blobs, cache, settings, invocation } = env
  const { variant: name, format } = wantedOf(data)
  const task = await tasks.get(id)
  const variant = task?.status === 'completed' ? task.variants.find((made) => made.name === name) : undefined
  if (!variant || variant.mediaType !== 'image/jpeg' || variant.derived[format]) return 'pointless'
  // The delivery after the last attempt is for this: each one before it failed, or did not come back.
  const bytes = invocation.attempt > settings.maxAttempts ? 'failed' : await encode(env, variant.key, format)
  if (typeof bytes === 'string') {
    invocation.log.error('encoding given up', { variant: name, format, reason: bytes })
    await giveUp(cache, { taskId: id, variant: name, format }, bytes)
    return 'given up'
  }
  const file = await blobs.put(variantKey(id, name, format), bytes)
  if (await tasks.recordDerived(id, name, format, { key: file.key, bytes: file.bytes, sha256: file.sha256 })) {
    invocation.measure('derived_total', 1, { format })
    return 'derived'
  }
  if ((await tasks.get(id)) === null) await blobs.deleteTask(id)
  return 'pointless'
}
