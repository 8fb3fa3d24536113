/**
 * The knative target: plain HTTP on PORT. http functions answer on their routes, as behind any other server; a queue
 * function and a timer take events on `/`. The platform starts and ends processes, and is the container.
 */
import type { Config } from '../../config.ts'
import { drainOnSignal, outliveStrays } from '../../../cli/signals.ts'
import { pathOf } from '../../invoke.ts'
import type { HttpHandler } from '../../triggers/http.ts'
import { type CloudFunction, type CloudOptions, openCloudFunction } from '../cloud/open.ts'
import { pushEndpoint } from '../cloud/pushed.ts'
import { drainMs } from '../node/drain-time.ts'
import { listenUntilClosed } from '../node/listen.ts'
import { type Listening, nodeServer } from '../node/server.ts'
import { readKnativeEvent } from './events.ts'

/** Queue-proxy ends a request after the service's timeoutSeconds, and tells nobody: the function's own timeout is below it. */
const REMAINING_MS = Infinity

export function knativeHandler(cloud: CloudFunction): HttpHandler {
  const endpoint = pushEndpoint(cloud, readKnativeEvent)
  return async (request, { client, bytesRead, bodyComplete }) => {
    if (endpoint?.takes(request, pathOf(request.url))) return await endpoint.answer(request, REMAINING_MS)
    return await cloud.fetch(request, { client, bytesRead, bodyComplete, remainingMs: REMAINING_MS })
  }
}

function portOf({ PORT, SERVER_PORT }: Config): number {
  return PORT ?? SERVER_PORT
}

export async function serveKnative(options: CloudOptions): Promise<Listening & { stop(): Promise<void> }> {
  const cloud = await openCloudFunction({ waitMaxMs: Infinity, ...options })
  outliveStrays((line) => cloud.logger.error(line))
  const served = nodeServer(knativeHandler(cloud), { publicUrl: options.config.PUBLIC_URL })
  const server = await listenUntilClosed(served, portOf(options.config), '0.0.0.0')
  const stop = (): Promise<void> => cloud.drain([server], drainMs(cloud.config, cloud.functions))
  drainOnSignal(stop, (line) => cloud.logger.info(line))
  return { ...server, stop }
}
