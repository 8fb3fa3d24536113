/**
 * The google-cloud target: one handler for the functions framework, under its `http` signature. Under `cloudevent` the
 * framework answers each failure with 500, drops the event's datacontenttype, and hands over no request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Problem, problemResponse } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { pathOf } from '../../invoke.ts'
import { type CloudOptions, openCloudFunction } from '../cloud/open.ts'
import { pushEndpoint } from '../cloud/pushed.ts'
import { MALFORMED, unread } from '../node/server.ts'
import { readGoogleEvent } from './push.ts'

export type GoogleHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>

/** Google's front end adds the address that it saw; what stands before it anybody may have sent. */
function clientOf({ headers, socket }: IncomingMessage): string {
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
  return forwarded.at(-1)!.trim() || (socket.remoteAddress ?? '')
}

/** `export const revela = await googleCloud({ … })` is what `--target=revela` names. */
export async function googleCloud(options: CloudOptions): Promise<GoogleHandler> {
  const cloud = await openCloudFunction({ waitMaxMs: Infinity, ...options })
  const endpoint = pushEndpoint(cloud, readGoogleEvent)
  const { CLOUD_RUN_TIMEOUT_SECONDS: seconds, PUBLIC_URL: publicUrl } = options.config
  const remainingMs = seconds ? seconds * SECOND_MS : Infinity

  const listener = getRequestListener(
    async (request, env) => {
      const { incoming } = env as HttpBindings
      if (endpoint?.takes(request, pathOf(request.url))) return unread(await endpoint.answer(request, remainingMs))
      return unread(await cloud.fetch(request, { client: clientOf(incoming), remainingMs }))
    },
    { errorHandler: () => problemResponse(MALFORMED, { publicUrl, instance: '/' }) },
  )
  return async (incoming, outgoing) => {
    // Returned, the framework would take an event for a success.
    if (typeof outgoing?.writeHead !== 'function')
      throw new Problem('internal-error', 'Deploy this as an http function.')
    await listener(incoming, outgoing)
  }
}
