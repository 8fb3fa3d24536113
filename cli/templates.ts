/** The files of a new function: they pass `npm run check` as they are, and do one honest thing. Nothing needs escaping. */

export type FunctionKind =
  | { type: 'queue'; queue: string }
  | { type: 'http'; route: string }
  | { type: 'timer'; everyMs: number }

/** Characters of a line, as the formatter has it. */
const WIDTH = 120

/** A text, or a list of them between two ends. */
type Part = string | { open: string; parts: Part[]; close: string }

function flat(part: Part): string {
  return typeof part === 'string' ? part : `${part.open} ${part.parts.map(flat).join(', ')} ${part.close}`
}

/** On one line where it fits, else one part a line, each of them likewise. */
function print(part: Part, indent: string, after = ','): string {
  const line = `${indent}${flat(part)}${after}`
  if (typeof part === 'string' || line.length <= WIDTH) return line
  const parts = part.parts.map((inner) => print(inner, `${indent}  `))
  return [`${indent}${part.open}`, ...parts, `${indent}${part.close}${after}`].join('\n')
}

function settingsOf(kind: FunctionKind): string[] {
  if (kind.type === 'queue') return [`queue: '${kind.queue}'`, 'concurrency: 2', 'maxAttempts: 4']
  if (kind.type === 'http') return [`routes: ['${kind.route}']`]
  return [`everyMs: ${String(kind.everyMs).replaceAll(/\B(?=(\d{3})+$)/g, '_')}`]
}

function configOf(kind: FunctionKind, isolated: boolean): string {
  const trigger = { open: 'trigger: {', parts: [`type: '${kind.type}'`, ...settingsOf(kind)], close: '}' }
  return `import type { FunctionConfig } from '#shared/function.ts'

export default {
${print(trigger, '  ')}
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

/** Method, path, and the names of the path's parameters. */
function readRoute(route: string): { method: string; path: string; params: string[] } {
  const [method, path] = route.split(' ') as [string, string]
  return { method, path, params: [...path.matchAll(/\{(\w+)\}/g)].map(([, param]) => param!) }
}

function httpIndex(name: string, route: string): string {
  const { method, path, params } = readRoute(route)
  const schema = { open: 'params: z.object({', parts: params.map((param) => `${param}: z.string()`), close: '})' }
  const request = params.length > 0 ? `\n${print({ open: 'request: {', parts: [schema], close: '}' }, '  ')}` : ''
  const read = params.length > 0 ? "c.req.valid('param')" : '{}'
  return `import { createRoute, z } from '@hono/zod-openapi'
import { createApp } from '#shared/http.ts'

const route = createRoute({
  method: '${method.toLowerCase()}',
  path: '${path}',
  operationId: '${name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())}',
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
  const { method, path, params } = readRoute(route)
  const shown: Part =
    params.length > 0
      ? { open: 'params: {', parts: params.map((param) => `${param}: 'one'`), close: '}' }
      : 'params: {}'
  const expected = { open: 'expect(await response.json()).toEqual({', parts: [shown], close: '})' }
  return `import { expect, test } from 'vitest'
import { testBindings } from '../../test/bindings.ts'
import app from './index.ts'

test('${name} says what it was asked for', async () => {
  await using env = await testBindings()
  const path = '${path.replaceAll(/\{\w+\}/g, 'one')}'
  const response = await app.request(path, { method: '${method}' }, env)
  expect(response.status).toBe(200)
${print(expected, '  ', '')}
})
`
}

export function templates(name: string, kind: FunctionKind, isolated: boolean): Record<string, string> {
  const config = { 'config.ts': configOf(kind, isolated) }
  if (kind.type === 'queue') return { ...config, 'index.ts': QUEUE_INDEX, 'index.test.ts': queueTest(name) }
  if (kind.type === 'timer') return { ...config, 'index.ts': TIMER_INDEX, 'index.test.ts': timerTest(name) }
  return { ...config, 'index.ts': httpIndex(name, kind.route), 'index.test.ts': httpTest(name, kind.route) }
}
