/** What the document says of conditions. */
import { problemContent } from './representation.ts'

export const preconditions = {
  'If-Match': {
    description:
      'The `ETag` of an earlier answer, or several: anything else that is there by now is answered with 412.',
  },
  'If-Unmodified-Since': {
    description: 'Used where `If-Match` is not sent: what has changed after this date is answered with 412.',
  },
}

/** Of a method that changes something. */
export const preconditionsOfChange = {
  ...preconditions,
  'If-None-Match': { description: '`*`, or tags: if what is there is one of these, it stays, and the answer is 412.' },
}

export const preconditionFailed = problemContent(
  '`precondition-failed`: what is there is not what `If-Match` names, or is newer than `If-Unmodified-Since`.',
)

export const changePreconditionFailed = problemContent(
  '`precondition-failed`: what is there is not what `If-Match` names, or is newer than `If-Unmodified-Since`, or is what ' +
    '`If-None-Match` names.',
)
