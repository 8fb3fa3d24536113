/** The Task as clients see it: its schema for the OpenAPI document, and how a document becomes one. */
import { z } from '@hono/zod-openapi'
import type { Caller, Links } from './bindings.ts'
import { type ProblemCode, PROBLEMS } from './errors.ts'
import { STATUSES, type Task } from './task.ts'
import type { VariantSpec } from './variant.ts'

const time = z.string().openapi({ format: 'date-time', example: '2026-11-24T10:00:00.000Z' })
const sha256 = z.string().openapi({ pattern: '^[0-9a-f]{64}$', description: 'Lower-case hex.' })

const VariantSchema = z
  .object({
    name: z.string().openapi({ example: '1024x1024', description: 'The box or name that was asked for.' }),
    width: z.int().openapi({ description: 'Real size in pixels.' }),
    height: z.int(),
    mediaType: z.string().openapi({ example: 'image/jpeg' }),
    bytes: z.int(),
    sha256,
    href: z.string().openapi({ description: 'Where the bytes are; signed where the server has keys.' }),
  })
  .openapi('Variant')

const RequestedVariantSchema = z.union([
  z.string(),
  z.object({
    name: z.string(),
    width: z.int().nullable(),
    height: z.int().nullable(),
    fit: z.string(),
    position: z.string(),
    format: z.string(),
    quality: z.int().nullable(),
  }),
])

export const TaskSchema = z
  .object({
    id: z.string().openapi({ format: 'uuid', example: '0199d7a2-7c00-7000-8000-5d3a1c2b4e6f' }),
    status: z.enum(STATUSES),
    createdAt: time,
    updatedAt: time,
    completedAt: time.nullable(),
    expiresAt: time.nullable(),
    attempts: z.int().openapi({ description: 'Tries so far; grows with failures.' }),
    progress: z.number().openapi({ minimum: 0, maximum: 1 }),
    source: z.object({
      kind: z.enum(['upload', 'url', 'task']),
      filename: z.string().nullable(),
      url: z.string().nullable().openapi({ description: 'Without its query.' }),
      mediaType: z.string().nullable(),
      bytes: z.int().nullable(),
      width: z.int().nullable().openapi({ description: 'Seen upright, in pixels.' }),
      height: z.int().nullable(),
      frames: z.int().nullable(),
      sha256: sha256.nullable(),
    }),
    options: z.object({
      variants: z.array(RequestedVariantSchema),
      format: z.string(),
      background: z.string(),
      original: z.enum(['keep', 'discard']),
      access: z.enum(['signed', 'public']),
    }),
    metadata: z.record(z.string(), z.string()),
    placeholder: z.string().nullable().openapi({ description: 'A ThumbHash, base64.' }),
    color: z.string().nullable().openapi({ description: 'Mean colour, #rrggbb.', example: '#a08060' }),
    variants: z.array(VariantSchema),
    warnings: z.array(z.string()),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    callback: z
      .object({
        status: z.enum(['pending', 'delivered', 'failed']),
        attempts: z.int(),
        lastStatus: z.int().nullable(),
      })
      .nullable(),
    retryOf: z.string().nullable(),
    links: z.object({
      self: z.string(),
      events: z.string(),
      original: z.string().nullable(),
      variants: z.record(z.string(), z.string()).openapi({
        description: 'By name, from the first answer on: with `?wait=20` a link works before its variant is there.',
        example: { '800x800': '/tasks/0199d7a2-7c00-7000-8000-5d3a1c2b4e6f/variants/800x800' },
      }),
    }),
  })
  .openapi('Task')

export type TaskRepresentation = z.infer<typeof TaskSchema>

export const ProblemSchema = z
  .object({
    type: z.string().openapi({ example: '/problems/unsupported-image' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z
      .enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]])
      .openapi({ description: 'Stable; match this. /problems/{code} says what to do.' }),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi('Problem')

/** A response entry of a route: a problem with its description. */
export function problemContent(description: string) {
  return { description, content: { 'application/problem+json': { schema: ProblemSchema } } }
}

/** A box that its name says in full is shown as the text that asked for it, anything else as an object. */
function requested(spec: VariantSpec, format: string): string | VariantSpec {
  const box = `${spec.width ?? ''}x${spec.height ?? ''}`
  const plain = spec.format === format && spec.quality === null
  if (plain && spec.fit === 'inside' && spec.name === box) return box
  if (plain && spec.fit === 'cover' && spec.position === 'centre' && spec.name === `${box}-cover`) return `${box}:cover`
  return spec
}

/** Writes a task out for a client; the only place where links are signed, so no cache ever holds a signature. */
export async function represent(task: Task, links: Pick<Links, 'of'>, caller?: Caller): Promise<TaskRepresentation> {
  // Whoever came by a signed link gets none that outlives it: a link must not renew itself.
  const hrefs = await links.of(task, caller?.kind === 'link' ? caller.expiresAt : undefined)
  const { key: _key, ...source } = task.source
  // Whoever may see the task need not be who may fetch its source: a signature or a token stands in the query.
  const url = source.url === null ? null : source.url.replace(/[?#].*$/s, '')
  const { format } = task.options
  const { callback } = task
  return {
    id: task.id,
    status: task.status,
    createdAt: task.createdAt,
    updatedAt: task.updatedAt,
    completedAt: task.completedAt,
    expiresAt: task.expiresAt,
    attempts: task.attempts,
    progress: task.progress,
    source: { ...source, url },
    options: {
      variants: task.options.variants.map((spec) => requested(spec, format)),
      format,
      background: task.options.background,
      original: task.options.original,
      access: task.options.access,
    },
    metadata: task.metadata,
    placeholder: task.placeholder,
    color: task.color,
    variants: task.variants.map(({ name, width, height, mediaType, bytes, sha256: hash }) => {
      return { name, width, height, mediaType, bytes, sha256: hash, href: hrefs.variants[name] ?? hrefs.self }
    }),
    warnings: task.warnings,
    error: task.error,
    // Without its URL, which may hold a secret of the receiver's: a public task is read by anyone.
    callback: callback && { status: callback.status, attempts: callback.attempts, lastStatus: callback.lastStatus },
    retryOf: task.retryOf,
    links: hrefs,
  }
}
