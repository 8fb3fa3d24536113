/** A client that is called back, and the bindings that call it. */
import { CloudEvent, HTTP } from 'cloudevents'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Bindings, Invocation, Measures } from '#shared/bindings.ts'
import type { TaskRepresentation } from '#shared/representation.ts'
import type { Callback } from '#shared/task.ts'
import { undiciFetch } from '../../runtime/drivers/fetch/undici.ts'
import { testBindings, testInvocation, testSettings } from '../../test/bindings.ts'
import app from './index.ts'

export const SECRETS = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_plJ3nmyCDGBKInavdOK15jsl'] as const
export const THEN = { nextCheckAt: 1 }

export interface Received {
  headers: IncomingHttpHeaders
  body: string
}

/** A client that keeps what it is sent. */
export async function client(answer: (response: ServerResponse, count: number) => void) {
  const received: Received[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ headers: request.headers, body: await text(request) })
    answer(response, received.length)
  }
  const server = createServer((request, response) => {
    void receive(request, response)
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks?for=us`
  return {
    received,
    url,
    pending: (more: Partial<Callback> = {}): Callback => ({
      url,
      status: 'pending',
      attempts: 0,
      lastStatus: null,
      ...more,
    }),
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeAllConnections()
      await closed.promise
    },
  }
}

type Counted = Measures['callbacks_total']['outcome']

export async function callbackBindings(overrides: Partial<Bindings> = {}, allowHosts = ['127.0.0.1']) {
  const fetch = undiciFetch({ allowHosts })
  const counted: Counted[] = []
  const env = await testBindings({
    fetch,
    settings: testSettings({ publicUrl: 'https://pictures.example', callbacks: true, webhookSecrets: SECRETS }),
    ...overrides,
  })
  const measure = (...[, , labels]: Parameters<Invocation['measure']>) =>
    void counted.push((labels as Measures['callbacks_total']).outcome)
  return {
    ...env,
    counted,
    invocation: testInvocation({ measure }),
    [Symbol.asyncDispose]: async () => {
      await fetch.close()
      await env[Symbol.asyncDispose]()
    },
  }
}

export async function notify(env: Bindings, subject: string, type = 'task.settled'): Promise<Response> {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': `${subject}.settled`,
    'ce-type': type,
    'ce-source': '/',
    'ce-subject': subject,
  }
  return await app.request('/', { method: 'POST', headers, body: '{}' }, env)
}

/** With an attempt's number, as the queue counts. */
export const atAttempt = <Env extends Bindings>(env: Env, attempt: number): Env => ({
  ...env,
  invocation: { ...env.invocation, attempt },
})

export function readEvent({ headers, body }: Received): CloudEvent<TaskRepresentation> {
  const event = HTTP.toEvent<TaskRepresentation>({ headers, body })
  if (Array.isArray(event)) throw new Error('one event was expected')
  return new CloudEvent(event)
}

export const signed = ({ headers }: Received): Record<string, string> =>
  Object.fromEntries(
    ['id', 'timestamp', 'signature'].map((name) => [`webhook-${name}`, String(headers[`webhook-${name}`])]),
  )
