/** The files of a new function: they pass `npm run check` as they are, and do one honest thing. */

export type FunctionKind =
  | { type: 'queue'; queue: string }
  | { type: 'http'; route: string }
  | { type: 'timer'; everyMs: number }

const quote = (text: string): string => `'${text.replaceAll("'", String.raw`\'`)}'`

function triggerOf(kind: FunctionKind): string {
  if (kind.type === 'queue') return `{ type: 'queue', queue: ${quote(kind.queue)}, concurrency: 2, maxAttempts: 4 }`
  if (kind.type === 'http') return `{ type: 'http', routes: [${quote(kind.route)}] }`
  return `{ type: 'timer', everyMs: ${kind.everyMs} }`
}

function configOf(kind: FunctionKind, isolated: boolean): string {
  return `import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: ${triggerOf(kind)},
  timeoutMs: 30_000,${isolated ? "\n  isolation: 'process'," : ''}
} satisfies FunctionConfig
`
}

const QUEUE_INDEX = `/** Answers a message: 2xx acks it, 5xx or a throw has it retried, any other 4xx makes it a dead letter. */
import { createApp } from '#shared/http.ts'
import { readEvent } from '#shared/message.ts'

const app = createApp()

app.post('/', async (c) => {
  const event = await readEvent(c.req.raw)
  c.env.invocation.log.info('message received', { id: event.id, type: event.type })
  return c.body(null, 204)
})

export default app
`

const TIMER_INDEX = `/** Runs at each tick; one process of many runs it. A non-2xx is logged, and the next tick comes. */
import { createApp } from '#shared/http.ts'

const app = createApp()

app.post('/', (c) => {
  c.env.invocation.log.info('tick')
  return c.body(null, 204)
})

export default app
`

function httpIndex(name: string, route: string): string {
  const [method, path] = route.split(' ') as [string, string]
  const params = [...path.matchAll(/\{(\w+)\}/g)].map(([, param]) => param!)
  const request =
    params.length > 0
      ? `\n  request: { params: z.object({ ${params.map((param) => `${param}: z.string()`).join(', ')} }) },`
      : ''
  const read = params.length > 0 ? "c.req.valid('param')" : '{}'
  return `import { createRoute, z } from '@hono/zod-openapi'
import { createApp } from '#shared/http.ts'

const route = createRoute({
  method: '${method.toLowerCase()}',
  path: ${quote(path)},
  operationId: ${quote(name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()))},
  summary: 'Says what it was asked for',${request}
  responses: {
    200: {
      description: 'What came.',
      content: { 'application/json': { schema: z.object({ params: z.record(z.string(), z.string()) }) } },
    },
  },
})

const app = createApp()

app.openapi(route, (c) => c.json({ params: ${read} }, 200))

export default app
`
}

function queueTest(name: string): string {
  return `import { expect, test } from 'vitest'
import { testBindings } from '../../test/bindings.ts'
import app from './index.ts'

const event = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 'test', 'ce-source': '/test', 'ce-subject': 'task' }

test('${name} acks a message', async () => {
  await using env = await testBindings()
  const response = await app.request('/', { method: 'POST', headers: event, body: '{}' }, env)
  expect(response.status).toBe(204)
})

test('${name} lets what is no CloudEvent die', async () => {
  await using env = await testBindings()
  const response = await app.request('/', { method: 'POST', body: '{}' }, env)
  expect(response.status).toBe(400)
})
`
}

function timerTest(name: string): string {
  return `import { expect, test } from 'vitest'
import { testBindings } from '../../test/bindings.ts'
import app from './index.ts'

test('${name} answers a tick', async () => {
  await using env = await testBindings()
  const response = await app.request('/', { method: 'POST' }, env)
  expect(response.status).toBe(204)
})
`
}

function httpTest(name: string, route: string): string {
  const [method, path] = route.split(' ') as [string, string]
  const params = Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, param]) => [param!, 'one']))
  const shown = Object.entries(params)
    .map(([param, value]) => `${param}: '${value}'`)
    .join(', ')
  return `import { expect, test } from 'vitest'
import { testBindings } from '../../test/bindings.ts'
import app from './index.ts'

test('${name} says what it was asked for', async () => {
  await using env = await testBindings()
  const response = await app.request('${path.replaceAll(/\{\w+\}/g, 'one')}', { method: '${method}' }, env)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ params: {${shown ? ` ${shown} ` : ''}} })
})
`
}

export function templates(name: string, kind: FunctionKind, isolated: boolean): Record<string, string> {
  const config = { 'config.ts': configOf(kind, isolated) }
  if (kind.type === 'queue') return { ...config, 'index.ts': QUEUE_INDEX, 'index.test.ts': queueTest(name) }
  if (kind.type === 'timer') return { ...config, 'index.ts': TIMER_INDEX, 'index.test.ts': timerTest(name) }
  return { ...config, 'index.ts': httpIndex(name, kind.route), 'index.test.ts': httpTest(name, kind.route) }
}
