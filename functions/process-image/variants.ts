/** From a stored original to stored variants. */
import type { Settlement } from '#shared/bindings.ts'
import type { Source } from '#shared/task.ts'
import { MEDIA_TYPE, outputCost, pixelsMax, variantKey } from '#shared/variant.ts'
import { PermanentFailure, tooCostly, tooManyPixels } from './failure.ts'
import { advance, type Hold, HoldLost } from './hold.ts'
import { inspect, type Picture, render, type RenderedVariant } from './render.ts'

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

async function store(
  hold: Hold,
  made: Made['variants'],
  { spec, size, format, bytes }: RenderedVariant,
): Promise<void> {
  const { env, task } = hold
  const { name } = spec
  // What put returns, not what we gave it: an earlier attempt may have been first, and its bytes stay.
  const { created: _created, ...stored } = await env.blobs.put(variantKey(task.id, name, format), bytes)
  made.push({ name, ...stored, ...size, mediaType: MEDIA_TYPE[format], derived: {} })
  await tell(hold, made.length, task.options.variants.length)
}

/** One variant is written to disk while the next is encoded; no third waits in memory. */
async function renderInto(hold: Hold, path: string, picture: Picture) {
  const { task, env } = hold
  const { variants: specs, background } = task.options
  const made: Made['variants'] = []
  let storing = Promise.resolve()
  try {
    const { look, variants } = await render(path, picture, { variants: specs, background })
    for await (const variant of variants) {
      await storing
      env.invocation.signal.throwIfAborted()
      storing = store(hold, made, variant)
      // Whoever awaits it next is told; until then it is not unheard.
      storing.catch(() => {})
    }
    await storing
    const order = new Map(specs.map(({ name }, index) => [name, index]))
    return { look, variants: made.toSorted((a, b) => order.get(a.name)! - order.get(b.name)!) }
  } finally {
    // Nothing of ours may still be written when the caller clears up.
    await storing.catch(() => {})
  }
}

/** From the first pixel to the last byte stored. */
async function timed<T>({ env }: Hold, rendering: Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const measure = (outcome: 'completed' | 'failed'): void =>
    env.invocation.measure('render_seconds', (performance.now() - startedAt) / 1_000, { outcome })
  try {
    const made = await rendering
    measure('completed')
    return made
  } catch (error) {
    if (error instanceof PermanentFailure) measure('failed')
    throw error
  }
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
    const { look, variants } = await timed(hold, renderInto(hold, file.path, picture))
    const { format, width, height, frames } = picture
    const warnings =
      frames > 1 ? [`The image is an animation of ${frames} frames; only the first of them was used.`] : []
    return { variants, source: { ...source, mediaType: MEDIA_TYPE[format], width, height, frames }, ...look, warnings }
  } finally {
    await file[Symbol.asyncDispose]()
  }
}
