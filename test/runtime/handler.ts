/** An inline function that is one handler, behind the real invoke. */
import type { Bindings } from '#shared/bindings.ts'
import { createApp } from '#shared/http.ts'
import { type FunctionOptions, inlineFunction } from './function.ts'

export const TIMEOUT_MS = 50

type Handler = (env: Bindings, request: Request) => Response | Promise<Response>

export async function invoked(handler: Handler, options: FunctionOptions = {}) {
  const app = createApp()
  app.all('/', async (c) => await handler(c.env, c.req.raw))
  return await inlineFunction(app, { timeoutMs: TIMEOUT_MS, ...options })
}

/** Status and code of a problem. */
export async function problemOf(response: Response) {
  return [response.status, ((await response.json()) as { code: string }).code]
}
