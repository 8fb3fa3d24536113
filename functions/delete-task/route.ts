import { createRoute } from '@hono/zod-openapi'
import { headerParameters, pathParameters, taskId } from '#shared/parameters.ts'
import { changePreconditionFailed, preconditionsOfChange } from '#shared/preconditions.ts'
import { problemContent } from '#shared/representation.ts'

export const route = createRoute({
  method: 'delete',
  path: '/tasks/{taskId}',
  operationId: 'deleteTask',
  tags: ['Tasks'],
  summary: 'Delete a task',
  description: `Takes away the task, its original, its variants and what still waits in the queue for it, whatever its
status. An \`Idempotency-Key\` of the task answers 410 from then on. Caches may keep variants that were public.

\`If-Match\` with the \`ETag\` of a GET that was sent with a key: only if the task is still what that GET showed.`,
  parameters: [...pathParameters({ taskId }), ...headerParameters(preconditionsOfChange)],
  responses: {
    204: { description: 'The task is gone.' },
    404: problemContent('`not-found`: there is no such task, or it was deleted before.'),
    412: changePreconditionFailed,
    503: problemContent('`unavailable`: the task store cannot be reached.'),
  },
})
