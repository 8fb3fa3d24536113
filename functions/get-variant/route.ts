import { createRoute, z } from '@hono/zod-openapi'
import { WAIT_SECONDS_MAX } from '#shared/limits.ts'
import { headerParameters, oneOf, pathParameters, signatureParameters, taskId, whole } from '#shared/parameters.ts'
import { preconditionFailed, preconditions } from '#shared/preconditions.ts'
import { problemContent } from '#shared/representation.ts'

const wait = whole('seconds', 0, WAIT_SECONDS_MAX).optional().openapi({
  type: 'integer',
  minimum: 0,
  maximum: WAIT_SECONDS_MAX,
  description: 'Seconds to hold the answer until the bytes are there, so that a link works right after the upload.',
  example: 20,
})

const conditions = headerParameters({
  Range: {
    description: 'One range of bytes. Several ranges, or a malformed one, are answered with the whole.',
    example: 'bytes=0-1023',
  },
  'If-Range': { description: 'The `ETag` for which the range is wanted; else the whole.' },
  'If-None-Match': { description: 'The `ETag` of an earlier answer.' },
  'If-Modified-Since': {
    description:
      'Used where `If-None-Match` is not sent and `Accept` does not decide: there a date names several files.',
  },
  ...preconditions,
})

const bytes = { schema: z.string().openapi({ type: 'string', format: 'binary' }) }
const images = { 'image/jpeg': bytes, 'image/png': bytes, 'image/webp': bytes, 'image/avif': bytes }
const originals = { ...images, 'image/gif': bytes }

const bodyHeaders = z.object({
  ETag: z.string().openapi({ description: 'The SHA-256 of the whole file.' }),
  'Last-Modified': z.string(),
  'Cache-Control': z.string().openapi({ example: 'public, max-age=31536000, immutable' }),
  'Accept-Ranges': z.literal('bytes'),
})
const partHeaders = bodyHeaders.extend({ 'Content-Range': z.string().openapi({ example: 'bytes 0-1023/70123' }) })

const shared = {
  304: { description: 'The file is still the one that `If-None-Match` names.' },
  400: problemContent('`invalid-request`: `wait` or `format` is out of its range, or the format does not fit.'),
  401: problemContent('`unauthorized`: neither an API key nor a signed link, and the task is not known to be public.'),
  403: problemContent('`link-invalid`: the signature of the link is wrong, or its time is over.'),
  412: preconditionFailed,
  416: problemContent('`range-not-satisfiable`: the range begins behind the end; `Content-Range` has the length.'),
  500: problemContent('`internal-error`: the stored file is not the one that was recorded.'),
}

export const variantRoute = createRoute({
  method: 'get',
  path: '/tasks/{taskId}/variants/{variant}',
  operationId: 'getVariant',
  tags: ['Pictures'],
  summary: 'The bytes of a variant',
  description: `Streams one file. Its content never changes, so caches may keep it: \`public\` where the server has no keys
or the task is public, else \`private\`, as long as the link is valid.

A JPEG variant is also there as WebP or AVIF: by \`Accept\`, where it names them, or by \`?format\`. They are made on
first demand. By \`Accept\`, the JPEG comes instead when that takes more than two seconds, and may be kept for a minute.

\`?wait=20\` holds the answer until the task has finished, so that a link can stand in a page before it has; with
\`?format\` also until that format is made.`,
  parameters: [
    ...pathParameters({
      taskId,
      variant: { description: '`name` of one of the variants of the Task.', example: '800x800' },
    }),
    ...signatureParameters,
    ...conditions,
  ],
  request: {
    query: z.object({
      format: oneOf(['webp', 'avif', 'jpeg']).optional().openapi({
        description: 'This format and no other, whatever `Accept` says. Other than its own only for a JPEG variant.',
      }),
      wait,
    }),
  },
  responses: {
    ...shared,
    200: { description: 'The picture.', headers: bodyHeaders, content: images },
    206: { description: 'The part that `Range` asks for.', headers: partHeaders, content: images },
    404: problemContent(
      '`not-found`: there is no such task (any more), it has no variant of this name, or the file of it is lost.',
    ),
    409: problemContent(
      '`task-not-finished`: ask again after `Retry-After`, or with `wait`. Or the task failed: then its own code. ' +
        '`processing-failed`: `format` could not be made; it is tried again when it is asked for later.',
    ),
    503: problemContent('`unavailable`: the store cannot be reached, or `format` is not made yet: see `Retry-After`.'),
  },
})

export const originalRoute = createRoute({
  method: 'get',
  path: '/tasks/{taskId}/original',
  operationId: 'getOriginal',
  tags: ['Pictures'],
  summary: 'The original, as it was sent',
  description: 'The bytes as they came, metadata included, to be saved under the name that was sent with them.',
  parameters: [...pathParameters({ taskId }), ...signatureParameters, ...conditions],
  request: { query: z.object({ wait }) },
  responses: {
    ...shared,
    200: {
      description: 'The original.',
      headers: bodyHeaders.extend({
        'Content-Disposition': z.string().openapi({ example: 'attachment; filename="cat.jpg"' }),
        'X-Content-Type-Options': z.literal('nosniff'),
      }),
      content: originals,
    },
    206: { description: 'The part that `Range` asks for.', headers: partHeaders, content: originals },
    404: problemContent('`not-found`: there is no such task (any more). `original-gone`: its original was discarded.'),
    409: problemContent(
      '`task-not-finished`: it is still being fetched. Or fetching failed: then the code of the task.',
    ),
    503: problemContent('`unavailable`: the store cannot be reached.'),
  },
})
