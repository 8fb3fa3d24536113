import { createRoute, z } from '@hono/zod-openapi'
import { PROBLEMS, type ProblemCode } from '#shared/errors.ts'
import { PAGE_DEFAULT, PAGE_MAX } from '#shared/limits.ts'
import { oneOf, whole } from '#shared/parameters.ts'
import { problemContent, TaskSchema } from '#shared/representation.ts'
import { STATUSES } from '#shared/task.ts'

const codes = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]

const limit = whole('tasks', 1, PAGE_MAX).optional().openapi({
  type: 'integer',
  minimum: 1,
  maximum: PAGE_MAX,
  default: PAGE_DEFAULT,
  description: 'Tasks of one page.',
})

/** An object parameter in form style: each of its members is a parameter of its own, whatever its name. */
const metadata = {
  name: 'metadata',
  in: 'query' as const,
  style: 'form' as const,
  explode: true,
  description: '`metadata.KEY=VALUE`, as often as needed: only tasks that have every pair.',
  schema: {
    type: 'object' as const,
    propertyNames: { pattern: '^metadata\\..' },
    additionalProperties: { type: 'string' as const },
    example: { 'metadata.album': 'summer' },
  },
}

export const route = createRoute({
  method: 'get',
  path: '/tasks',
  operationId: 'listTasks',
  tags: ['Tasks'],
  summary: 'Tasks, newest first',
  description: `One page of tasks. \`nextCursor\`, and the \`Link\` header with all filters in it, lead to the next one; a
cursor fits the filters it was made with alone. Tasks that come in meanwhile do not shift the pages.`,
  parameters: [metadata],
  request: {
    query: z.looseObject({
      status: oneOf(STATUSES).optional().openapi({ description: 'Only tasks in this state.' }),
      code: oneOf(codes).optional().openapi({ description: 'Only failed tasks whose `error.code` is this.' }),
      limit,
      cursor: z.string().optional().openapi({
        minLength: 1,
        pattern: '^[A-Za-z0-9_-]+$',
        description: '`nextCursor` of the previous page, unchanged.',
      }),
    }),
  },
  responses: {
    200: {
      description: 'A page; `nextCursor` is null on the last one.',
      headers: z.object({
        Link: z.string().optional().openapi({ example: '</tasks?status=failed&cursor=eyJ…>; rel="next"' }),
      }),
      content: {
        'application/json': {
          schema: z.object({ items: z.array(TaskSchema), nextCursor: z.string().nullable() }).openapi('TaskPage'),
        },
      },
    },
    400: problemContent(
      '`invalid-request`: a parameter is unknown or out of its range. `invalid-cursor`: not of these filters, or not ours.',
    ),
    503: problemContent('`unavailable`: the task store cannot be reached.'),
  },
})
