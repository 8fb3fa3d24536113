/** POST /tasks as the document shows it. The body is plain schemas: no validator may touch a stream that is ours. */
import { createRoute, z } from '@hono/zod-openapi'
import { IDEMPOTENCY_KEY_MAX } from '#shared/limits.ts'
import { headerParameters, preferWaitHeader } from '#shared/parameters.ts'
import { problemContent, TaskSchema } from '#shared/representation.ts'
import { INPUT_FORMATS, MEDIA_TYPE } from '#shared/variant.ts'
import { JsonBodySchema, OPTION_NAMES } from '#shared/options/schema.ts'

type Schema = Record<string, unknown> & { description?: string }

/** JSON Schema 2020-12, which OpenAPI 3.1 takes as it is. Converted once: an option is the same wherever it stands. */
const { $schema: _dialect, ...jsonBody }: Schema = z.toJSONSchema(JsonBodySchema, { io: 'input' })
const members = jsonBody['properties'] as Record<string, Schema>

/** An option as text: a list with commas, a number in digits, an object as its JSON. */
function textSchema(name: string): Schema {
  const { description: _description, ...rest } = members[name]!
  if (name === 'variants') return { type: 'string', default: rest['default'] }
  if (name !== 'metadata') return rest
  return { type: 'string', contentMediaType: 'application/json', examples: ['{"album":"summer"}'] }
}

function describe(name: string): string {
  const description = members[name]!.description ?? ''
  return name === 'metadata' ? `${description} A JSON object as text.` : description
}

const queryParameters = OPTION_NAMES.map((name) => ({
  name,
  in: 'query' as const,
  required: false,
  description: describe(name),
  schema: textSchema(name),
}))

const headers = headerParameters({
  'Idempotency-Key': {
    description:
      'One key, quoted, or bare if it has no comma and no quote. The same request with the same key gets the same task, with `Idempotent-Replayed: true`; kept 24 hours.',
    schema: { type: 'string', minLength: 1, maxLength: IDEMPOTENCY_KEY_MAX + 2 },
    example: '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
  },
  ...preferWaitHeader,
})

const bytes = {
  schema: { type: 'string' as const, format: 'binary', description: 'The image. Options go into the query.' },
}

const formSchema = {
  type: 'object' as const,
  required: ['image'],
  additionalProperties: false,
  properties: {
    image: { type: 'string' as const, format: 'binary', description: 'The file: JPEG, PNG, WebP, GIF or AVIF.' },
    ...Object.fromEntries(OPTION_NAMES.map((name) => [name, { ...textSchema(name), description: describe(name) }])),
  },
}

const INPUT_TYPES = INPUT_FORMATS.map((format) => MEDIA_TYPE[format]).join(', ')

const text = { type: 'string' as const }
const answerHeaders = {
  Location: { description: 'The task.', schema: text },
  'Preference-Applied': { description: 'Where a wait was asked for: `wait=n`.', schema: text },
  'Idempotent-Replayed': { description: '`true` where the task was made by an earlier request.', schema: text },
}

const retryAfter = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' as const } } }

export const route = createRoute({
  method: 'post',
  path: '/tasks',
  operationId: 'createTask',
  tags: ['Tasks'],
  summary: 'Send an image',
  description:
    'Stores the image, makes a task of it and answers at once; its variants follow. The image comes as a form with a file ' +
    'named `image` (options are fields before or after it), as the raw body (options in the query), or as JSON that names ' +
    'a URL or another task (options are members). The bytes decide what it is, never the Content-Type or the name.',
  parameters: [...queryParameters, ...headers],
  request: {
    body: {
      required: true,
      content: {
        'multipart/form-data': { schema: formSchema, encoding: { image: { contentType: INPUT_TYPES } } },
        'image/*': bytes,
        'application/octet-stream': bytes,
        'application/json': {
          schema: jsonBody,
          examples: {
            url: { summary: 'From a URL', value: { url: 'https://example.com/cat.jpg', variants: ['800x', 'x600'] } },
            task: {
              summary: 'New variants of an earlier image',
              value: {
                taskId: '0199d7a2-7c00-7000-8000-5d3a1c2b4e6f',
                variants: [{ name: 'hero', width: 1200, height: 400, fit: 'cover', position: 'attention' }],
                format: 'webp',
              },
            },
          },
        },
      },
    },
  },
  responses: {
    201: {
      description: 'The task has ended, within the time that `Prefer: wait` gave.',
      headers: answerHeaders,
      content: { 'application/json': { schema: TaskSchema } },
    },
    202: {
      description: 'Accepted: the task will be finished, whatever fails meanwhile.',
      headers: { ...answerHeaders, ...retryAfter },
      content: { 'application/json': { schema: TaskSchema } },
    },
    400: problemContent(
      'No image, two images, a malformed body, or an option that is unknown or out of range; `errors` points at each fault.',
    ),
    404: problemContent('`taskId` names no task.'),
    408: problemContent('The body stopped arriving.'),
    409: {
      ...problemContent(
        'A request with this Idempotency-Key still runs (`request-in-progress`), or the original of `taskId` is gone ' +
          '(`original-gone`) or still being fetched (`task-not-finished`).',
      ),
      headers: retryAfter,
    },
    410: problemContent('The task of this Idempotency-Key was deleted.'),
    413: problemContent('More bytes than the server accepts, counted as they arrive. Nothing was stored.'),
    415: problemContent('Not an image that is decoded, or a body of another type; the detail names what was found.'),
    422: problemContent(
      'Corrupt (`image-corrupt`), too many pixels (`image-too-many-pixels`), variants too costly (`output-too-costly`), ' +
        'a URL that may not be fetched (`url-not-allowed`), callbacks not configured (`callback-not-configured`), or an ' +
        'Idempotency-Key that was used for another request (`idempotency-key-reused`).',
    ),
    503: {
      ...problemContent('The task or blob store cannot be reached. Nothing was half-written.'),
      headers: retryAfter,
    },
  },
})
