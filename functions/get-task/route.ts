import { createRoute, z } from '@hono/zod-openapi'
import { headerParameters, pathParameters, preferWaitHeader, signatureParameters, taskId } from '#shared/parameters.ts'
import { preconditionFailed, preconditions } from '#shared/preconditions.ts'
import { problemContent, TaskSchema } from '#shared/representation.ts'

const events = `event: task
id: 1795514400000-processing-0.5
data: {"id":"0199d7a2-7c00-7000-8000-5d3a1c2b4e6f","status":"processing","progress":0.5}

event: task
id: 1795514400420-completed-1
data: {"id":"0199d7a2-7c00-7000-8000-5d3a1c2b4e6f","status":"completed","progress":1}
`

export const route = createRoute({
  method: 'get',
  path: '/tasks/{taskId}',
  operationId: 'getTask',
  tags: ['Tasks'],
  summary: 'One task',
  description: `The task as it is now. Three ways to follow it:

- \`Prefer: wait=20\` holds the answer until the task is \`completed\` or \`failed\`, or the time is up.
- \`Accept: text/event-stream\` streams an event \`task\` for each change until the task has ended, and \`deleted\` when
  it is deleted meanwhile. \`links.events\` is signed, because EventSource sends no headers. A client that comes back
  with the id of the last event gets 204, which tells EventSource to stop.
- \`If-None-Match\` with the last \`ETag\` gives 304 while nothing has changed.`,
  parameters: [
    ...pathParameters({ taskId }),
    ...signatureParameters,
    ...headerParameters({
      ...preferWaitHeader,
      'If-None-Match': { description: 'The `ETag` of an earlier answer.' },
      ...preconditions,
      'Last-Event-ID': { description: 'The id of the last event seen; EventSource sends it.' },
    }),
  ],
  responses: {
    200: {
      description: 'The task, or the stream of its changes.',
      headers: z.object({
        ETag: z.string().openapi({ description: 'Changes with the task, and with the links when they are renewed.' }),
        'Preference-Applied': z.string().optional().openapi({ example: 'wait=20' }),
      }),
      content: {
        'application/json': { schema: TaskSchema },
        'text/event-stream': { schema: z.string().openapi({ example: events }) },
      },
    },
    204: { description: 'Event stream alone: `Last-Event-ID` is that of the final state, so nothing more will come.' },
    304: { description: 'The task is still the one that `If-None-Match` names.' },
    401: problemContent(
      '`unauthorized`: neither an API key nor a signed link, and the task is not known to be public.',
    ),
    403: problemContent('`link-invalid`: the signature of the link is wrong, or its time is over.'),
    404: problemContent('`not-found`: there is no such task (any more).'),
    412: preconditionFailed,
    503: problemContent('`unavailable`: the task store cannot be reached.'),
  },
})
