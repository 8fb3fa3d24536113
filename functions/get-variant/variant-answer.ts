/** The bytes of a variant, in the format that the request wants. */
import { Problem } from '#shared/errors.ts'
import type { AppContext } from '#shared/http.ts'
import { DERIVE_WAIT_MS, SECOND_MS } from '#shared/limits.ts'
import type { DerivedFormat } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { MEDIA_TYPE, type StoredFile, type Variant } from '#shared/variant.ts'
import { derivedFile } from './derive.ts'
import { chooseFormat, type Format } from './formats.ts'
import { cacheControl } from './freshness.ts'
import { awaitTask, failure, notFinished } from './readiness.ts'
import { sendFile } from './send-file.ts'

export interface VariantRequest {
  variant: string
  format: Format | undefined
  waitSeconds: number
}

function unknownVariant(task: Task, name: string): Problem {
  const names = task.options.variants.map((spec) => spec.name).join(', ')
  return new Problem('not-found', `There is no variant ${JSON.stringify(name.slice(0, 64))}; expected one of ${names}.`)
}

/** The derived file; for a negotiated request null stands for the JPEG, a fixed format is never another one. */
async function derivedOrNull(
  c: AppContext,
  task: Task,
  variant: Variant,
  format: DerivedFormat,
  /** Unix ms until which the client waits for a fixed format; null for a negotiated one. */
  until: number | null,
): Promise<StoredFile | null> {
  const negotiated = until === null
  // Whoever takes the JPEG as well is not kept waiting, whatever time is left.
  const waitMs = negotiated ? DERIVE_WAIT_MS : Math.max(DERIVE_WAIT_MS, until - Date.now())
  try {
    const file = await derivedFile(c.env, task, variant.name, format, waitMs)
    if (file && !(file instanceof Problem)) return file
    if (negotiated) return null
    if (file) throw file
  } catch (error) {
    if (!negotiated || !(error instanceof Problem) || error.code !== 'unavailable') throw error
    c.env.invocation.log.warn('an encoding cannot be asked for; the JPEG is served', { err: error.cause })
    return null
  }
  throw new Problem('unavailable', `The variant is being made as ${format}.`, { headers: { 'Retry-After': '1' } })
}

export async function answerVariant(c: AppContext, found: Task, request: VariantRequest): Promise<Response> {
  const { settings, invocation, tasks } = c.env
  const until = Date.now() + request.waitSeconds * SECOND_MS
  if (!found.options.variants.some(({ name }) => name === request.variant)) throw unknownVariant(found, request.variant)
  const task = await awaitTask(c.env, found, request.waitSeconds, isTerminal)
  if (!isTerminal(task)) throw notFinished()
  if (task.status === 'failed') throw failure(task)
  const variant = task.variants.find(({ name }) => name === request.variant)
  if (!variant) throw unknownVariant(task, request.variant)

  const { format, negotiated } = chooseFormat(variant, request.format, c.req.header('accept'), settings.negotiate)
  const derived = format === 'own' ? null : await derivedOrNull(c, task, variant, format, negotiated ? null : until)
  return await sendFile(c, {
    file: derived ?? variant,
    mediaType: derived && format !== 'own' ? MEDIA_TYPE[format] : variant.mediaType,
    lastModified: Date.parse(task.completedAt ?? task.updatedAt),
    cacheControl: cacheControl({
      settings,
      caller: invocation.caller,
      task,
      stopgap: format !== 'own' && derived === null,
    }),
    negotiated,
    headers: { 'Cross-Origin-Resource-Policy': 'cross-origin', 'X-Content-Type-Options': 'nosniff' },
    stillRecorded: async () => (await tasks.get(task.id)) !== null,
  })
}
