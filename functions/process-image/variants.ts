/** From a stored original to stored variants. */
import type { Settlement } from '#shared/bindings.ts'
import type { Source } from '#shared/task.ts'
import { MEDIA_TYPE, outputCost, pixelsMax, type Variant, variantKey } from '#shared/variant.ts'
import { PermanentFailure, tooCostly, tooManyPixels } from './failure.ts'
import { advance, type Hold, HoldLost } from './hold.ts'
import { inspect, type Picture, render } from './render.ts'

export type Made = Omit<Extract<Settlement, { status: 'completed' }>, 'status'>

/** Writes of progress a task may cost; the end is no progress. */
const PROGRESS_STEPS = 4

async function checkedPicture({ env, task }: Hold, path: string): Promise<Picture> {
  const { inputPixelsMax, outputCostMax } = env.settings
  const picture = await inspect(path)
  const limit = pixelsMax(picture.format, inputPixelsMax)
  if (picture.width * picture.height > limit) throw tooManyPixels(picture, picture.format, limit)
  const cost = outputCost(task.options.variants, picture)
  if (cost > outputCostMax) throw tooCostly(cost, outputCostMax)
  return picture
}

/** Also how a long piece of work learns that it is no longer wanted. */
async function tell(hold: Hold, done: number, all: number): Promise<void> {
  const steps = (count: number): number => Math.floor((count / all) * PROGRESS_STEPS)
  if (done < all && steps(done) > steps(done - 1)) await advance(hold, { progress: done / all })
}

async function renderInto(hold: Hold, path: string, picture: Picture) {
  const { env, task } = hold
  const { variants: specs, background } = task.options
  const made = new Map<string, Variant>()
  let storingMs = 0
  const startedAt = performance.now()
  const { look, variants } = await render(path, picture, { variants: specs, background })
  for await (const { spec, size, format, bytes } of variants) {
    env.invocation.signal.throwIfAborted()
    const storingFrom = performance.now()
    const { name } = spec
    // What put returns, not what we gave it: an earlier attempt may have been first, and its bytes stay.
    const { created: _created, ...stored } = await env.blobs.put(variantKey(task.id, name, format), bytes)
    made.set(name, { name, ...stored, ...size, mediaType: MEDIA_TYPE[format], derived: {} })
    await tell(hold, made.size, specs.length)
    storingMs += performance.now() - storingFrom
  }
  const seconds = (performance.now() - startedAt - storingMs) / 1_000
  env.invocation.measure('render_seconds', seconds, { outcome: 'completed' })
  return { look, variants: specs.flatMap(({ name }) => made.get(name) ?? []) }
}

/**
 * Every variant is durable when it resolves.
 * @throws PermanentFailure for a picture that no retry will make; HoldLost
 */
export async function makeVariants(hold: Hold, source: Source): Promise<Made> {
  const { env, task } = hold
  const file = source.key === null ? null : await env.blobs.asFile(source.key)
  if (file === null) {
    // A deletion removes the document first.
    if ((await env.tasks.get(task.id)) === null) throw new HoldLost()
    throw new PermanentFailure('original-gone', 'The original of the image is no longer there. Please send it again.')
  }
  try {
    const picture = await checkedPicture(hold, file.path)
    const { look, variants } = await renderInto(hold, file.path, picture)
    const { format, width, height, frames } = picture
    const warnings =
      frames > 1 ? [`The image is an animation of ${frames} frames; only the first of them was used.`] : []
    return { variants, source: { ...source, mediaType: MEDIA_TYPE[format], width, height, frames }, ...look, warnings }
  } finally {
    await file[Symbol.asyncDispose]()
  }
}
