/** The document of uploads. Bodies are plain schemas: no validator may touch a stream that is ours. */
import { createRoute, z } from '@hono/zod-openapi'
import { INPUT_BYTES_MAX } from '#shared/limits.ts'
import { OPTION_MEMBERS } from '#shared/options/schema.ts'
import { headerParameters, pathParameters, preferWaitHeader, signatureParameters } from '#shared/parameters.ts'
import { problemContent, TaskSchema } from '#shared/representation.ts'

const AskSchema = z.strictObject({
  bytes: z
    .int()
    .min(1)
    .meta({
      description: `The file's size: this many bytes are taken, no more and no less. At most INPUT_BYTES_MAX, ${INPUT_BYTES_MAX} by default.`,
      examples: [12_582_912],
    }),
  filename: z
    .string()
    .optional()
    .meta({ description: 'For display alone.', examples: ['cat.jpg'] }),
  ...OPTION_MEMBERS,
})
const { $schema: _dialect, ...askSchema } = z.toJSONSchema(AskSchema, { io: 'input' }) as Record<string, unknown>

const UploadSchema = z
  .object({
    id: z.string().openapi({ format: 'uuid', description: 'Of the task that it becomes.' }),
    uploadUrl: z.string().openapi({
      description: 'Where the file is sent to, without a key. May be of the store itself, and then of another host.',
    }),
    method: z.literal('PUT'),
    headers: z.record(z.string(), z.string()).openapi({ description: 'To be sent with the file, as they are.' }),
    completeUrl: z.string().openapi({ description: 'What to POST to, without a body, once the file is there.' }),
    bytes: z.int().openapi({ description: 'As it was asked for.' }),
    expiresAt: z.string().openapi({ format: 'date-time', description: 'When both URLs end, 15 minutes from now.' }),
  })
  .openapi('Upload')

export type Upload = z.infer<typeof UploadSchema>

const text = { type: 'string' as const }
const retryAfter = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' as const } } }
const away = {
  ...problemContent('The task or blob store cannot be reached. What was uploaded stays.'),
  headers: retryAfter,
}
const stranger = problemContent('`unauthorized`: neither an API key nor the signed link of this upload.')
const over = problemContent('`link-invalid`: the signature of the link is wrong, or its time is over.')
const unknown = problemContent('There is no such upload, or what was sent to it was refused.')

const parameters = [...pathParameters({ taskId: { description: '`id` of the upload.' } }), ...signatureParameters]

export const askRoute = createRoute({
  method: 'post',
  path: '/uploads',
  operationId: 'createUpload',
  tags: ['Uploads'],
  summary: 'Ask for a link to upload to',
  description:
    'For pictures that are larger than what stands before this server lets through, and for pages that have no key. The ' +
    'answer says where one file of this size may be sent, once, and what to call then. It becomes a task with these ' +
    'options, which are those of POST /tasks. The same two steps everywhere: PUT to `uploadUrl`, POST to `completeUrl`.',
  request: { body: { required: true, content: { 'application/json': { schema: askSchema } } } },
  responses: {
    201: { description: 'The links.', content: { 'application/json': { schema: UploadSchema } } },
    400: problemContent('`bytes` or an option is missing, unknown or out of range; `errors` points at each fault.'),
    401: problemContent('`unauthorized`: an upload is asked for with a key.'),
    408: problemContent('The body stopped arriving.'),
    413: problemContent('`bytes` is more than the server accepts, or the body is too long.'),
    415: problemContent('The body is no JSON.'),
    422: problemContent(
      '`callbackUrl` may not be called (`url-not-allowed`), or callbacks are not configured (`callback-not-configured`).',
    ),
    503: away,
  },
})

export const putRoute = createRoute({
  method: 'put',
  path: '/uploads/{taskId}',
  operationId: 'putUpload',
  tags: ['Uploads'],
  summary: 'Send the file',
  description: 'The bytes as they are, of any Content-Type. Where `uploadUrl` is of another host, they are sent there.',
  parameters: [
    ...parameters,
    ...headerParameters({
      'If-Match': { description: 'A file that is there: an upload that has none is answered with 412.' },
      'If-None-Match': { description: '`*`: an upload that has its file already is answered with 412, not with 409.' },
    }),
  ],
  request: {
    body: {
      required: true,
      content: { '*/*': { schema: { type: 'string' as const, format: 'binary' } } },
    },
  },
  responses: {
    201: { description: 'The file is there. Complete the upload. A store that takes it itself answers 200.' },
    400: problemContent('Fewer bytes than the upload was asked for with. Nothing was stored.'),
    401: stranger,
    403: over,
    404: unknown,
    408: problemContent('The body stopped arriving. Nothing was stored.'),
    409: problemContent('`upload-taken`: it has its file already, or is a task.'),
    412: problemContent('`precondition-failed`: `If-Match` and no file is there, or `If-None-Match: *` and one is.'),
    413: problemContent('More bytes than the upload was asked for with, counted as they arrive. Nothing was stored.'),
    415: problemContent('The body is compressed.'),
    503: away,
  },
})

export const completeRoute = createRoute({
  method: 'post',
  path: '/uploads/{taskId}',
  operationId: 'completeUpload',
  tags: ['Uploads'],
  summary: 'Make a task of the file',
  description:
    'Looks at what was sent as POST /tasks does, and answers as it does. A second time it answers the same task. What is ' +
    'refused is removed, and the upload is over; when a store is away, the same call again goes on.',
  parameters: [...parameters, ...headerParameters(preferWaitHeader)],
  responses: {
    201: {
      description: 'The task has ended, within the time that `Prefer: wait` gave.',
      content: { 'application/json': { schema: TaskSchema } },
    },
    202: {
      description: 'Accepted: the task will be finished, whatever fails meanwhile.',
      headers: {
        ...retryAfter,
        Location: { description: 'The task.', schema: text },
        'Preference-Applied': { description: 'Where a wait was asked for: `wait=n`.', schema: text },
        'Idempotent-Replayed': { description: '`true` where it was completed before.', schema: text },
      },
      content: { 'application/json': { schema: TaskSchema } },
    },
    400: problemContent('The file is of another size than was agreed. It was removed.'),
    401: stranger,
    403: over,
    404: unknown,
    408: problemContent('The request ended early.'),
    409: problemContent('`upload-missing`: nothing was sent yet.'),
    413: problemContent('The file has more bytes than was agreed. It was removed.'),
    415: problemContent('Not an image that is decoded; the detail names what was found. It was removed.'),
    422: problemContent(
      'Corrupt (`image-corrupt`), too many pixels (`image-too-many-pixels`) or variants too costly ' +
        '(`output-too-costly`). The file was removed.',
    ),
    503: away,
  },
})
