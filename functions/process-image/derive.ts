/** `variant.wanted`: another encoding of a finished JPEG, made because somebody asked for it. */
import { z } from '@hono/zod-openapi'
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { DERIVED_FORMATS, type VariantWanted } from '#shared/message.ts'
import { VARIANT_NAME, variantKey } from '#shared/variant.ts'
import { transcode } from './render.ts'

const WantedSchema = z.object({ variant: z.string().regex(VARIANT_NAME), format: z.enum(DERIVED_FORMATS) })

/** `pointless`: nothing to be made, or it is there. */
export type Derivation = 'derived' | 'pointless'

function wantedOf(data: unknown): VariantWanted {
  const wanted = WantedSchema.safeParse(data)
  if (wanted.success) return wanted.data
  throw new Problem('invalid-request', `Expected { variant, format } as event data: ${z.prettifyError(wanted.error)}`)
}

export async function deriveVariant(env: Bindings, id: string, data: unknown): Promise<Derivation> {
  const { tasks, blobs, invocation } = env
  const { variant: name, format } = wantedOf(data)
  const task = await tasks.get(id)
  const variant = task?.status === 'completed' ? task.variants.find((made) => made.name === name) : undefined
  if (!variant || variant.mediaType !== 'image/jpeg' || variant.derived[format]) return 'pointless'
  const file = await blobs.asFile(variant.key)
  if (!file) return 'pointless'
  try {
    const { key, bytes, sha256 } = await blobs.put(variantKey(id, name, format), await transcode(file.path, format))
    if (await tasks.recordDerived(id, name, format, { key, bytes, sha256 })) {
      invocation.measure('derived_total', 1, { format })
      return 'derived'
    }
    if ((await tasks.get(id)) === null) await blobs.deleteTask(id)
    return 'pointless'
  } finally {
    await file[Symbol.asyncDispose]()
  }
}
