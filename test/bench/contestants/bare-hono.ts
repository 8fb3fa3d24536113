/**
 * get-task's app under bare @hono/node-server, over the runtime's own bindings. With `log` it writes the runtime's log
 * line and observes its histogram, and so makes the ids that stand in that line.
 */
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Bindings, Invocation } from '#shared/bindings.ts'
import app from '../../../functions/get-task/index.ts'
import config from '../../../functions/get-task/config.ts'
import { openLocal } from '../../../stacks/local.ts'
import { readConfig } from '../../../runtime/config.ts'
import { checkConfig } from '../../../runtime/loader.ts'
import { createLogger } from '../../../console/logger.ts'
import { openCounts } from '../../../console/counts.ts'
import { settingsOf } from '../../../runtime/settings.ts'
import { childTraceparent, randomHex, traceIdOf } from '../../../runtime/trace.ts'
import { answerMessages } from './answer.ts'

const environment = readConfig()
const bindings = await openLocal(environment)
const settings = settingsOf(environment, checkConfig(config))
const logger = createLogger(environment)
const { duration } = openCounts()
const silent = (): void => {}

function bindingsFor(request: Request, own: Partial<Invocation>): Bindings {
  const { tasks, blobs, queue, cache, fetch, links } = bindings
  const invocation: Invocation = {
    id: '',
    function: 'get-task',
    attempt: 1,
    deadline: 0,
    get signal() {
      return request.signal
    },
    traceparent: '',
    caller: { kind: 'open' },
    log: { debug: silent, info: silent, warn: silent, error: silent },
    taskId: silent,
    measure: silent,
    ...own,
  }
  return { tasks, blobs, queue, cache, fetch, links, settings, invocation }
}

async function answerLogged(request: Request): Promise<Response> {
  const startedAt = performance.now()
  const id = randomHex(8)
  const traceparent = childTraceparent(null)
  let task: string | undefined
  const taskId = (known: string): void => void (task = known)
  const { status, response } = await answer(request, { id, traceparent, taskId })
  const ms = performance.now() - startedAt
  duration.observe({ function: 'get-task' }, ms / 1_000)
  const trace = traceIdOf(traceparent)
  const line = { function: 'get-task', invocation: id, trace, task, attempt: 1, status, ms: Math.round(ms * 100) / 100 }
  logger.info(line, 'invocation')
  return response
}

async function answer(request: Request, own: Partial<Invocation>): Promise<{ status: number; response: Response }> {
  const response = await app.fetch(request, bindingsFor(request, own))
  return { status: response.status, response }
}

async function answerPlain(request: Request): Promise<Response> {
  return await app.fetch(request, bindingsFor(request, {}))
}

const fetch = process.argv[2] === 'log' ? answerLogged : answerPlain
const listening = new Promise<number>((resolve) => {
  serve({ fetch, port: 0, hostname: '127.0.0.1' }, ({ port }: AddressInfo) => resolve(port))
})
answerMessages(async (): Promise<{ port: number }> => ({ port: await listening }))
