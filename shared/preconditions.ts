/** What the document says of the conditions that `refuseChanged` checks. */
import { z } from '@hono/zod-openapi'
import { problemContent } from './representation.ts'

export const preconditions = {
  'If-Match': z.string().optional().openapi({
    description:
      'The `ETag` of an earlier answer, or several: anything else that is there by now is answered with 412.',
  }),
  'If-Unmodified-Since': z.string().optional().openapi({
    description: 'Used where `If-Match` is not sent: what has changed after this date is answered with 412.',
  }),
}

export const preconditionFailed = problemContent(
  '`precondition-failed`: what is there is not what `If-Match` names, or is newer than `If-Unmodified-Since`.',
)
