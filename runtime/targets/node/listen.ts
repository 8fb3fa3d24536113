/** Which addresses the local target listens on. */
import type { Server } from 'node:http'
import type { Config } from '../../config.ts'
import { metricsResponse } from '../../../console/system-routes.ts'
import type { Core } from '../../core.ts'
import { endingConnections } from './connections.ts'
import { listen, type Listening, nodeServer } from './server.ts'

/** Without keys the server is for this machine alone. */
export function hostOf({ API_KEY, SERVER_HOST = '0.0.0.0' }: Pick<Config, 'SERVER_HOST' | 'API_KEY'>): string {
  return API_KEY ? SERVER_HOST : '127.0.0.1'
}

/** Its connections end with their answers once it is closed. */
export async function listenUntilClosed(server: Server, port: number, host: string): Promise<Listening> {
  const endConnections = endingConnections(server)
  const listening = await listen(server, port, host)
  const close = async (): Promise<void> => {
    const closed = listening.close()
    endConnections()
    await closed
  }
  return { ...listening, close }
}

/** METRICS_PORT is for the scraper inside the network: no key, every address, and nothing else on it. */
async function listenMetrics({ config, metrics, logger }: Core): Promise<Listening | null> {
  const port = config.METRICS_PORT
  if (port === undefined) return null
  const server = nodeServer(async (request) => {
    if (new URL(request.url).pathname !== '/metrics') return new Response(null, { status: 404 })
    try {
      return await metricsResponse(await metrics.registry())
    } catch (error) {
      logger.error({ err: error }, 'a scrape failed')
      return new Response(null, { status: 503 })
    }
  })
  return await listenUntilClosed(server, port, '0.0.0.0')
}

/** The API, and METRICS_PORT where it is set; when one cannot be had, nothing stays open. */
export async function listenAll(core: Core) {
  const { config, handler, bindings } = core
  const servers: Listening[] = []
  try {
    const server = nodeServer(handler, { publicUrl: config.PUBLIC_URL })
    const api = await listenUntilClosed(server, config.SERVER_PORT, hostOf(config))
    servers.push(api)
    const scrape = await listenMetrics(core)
    if (scrape) servers.push(scrape)
    return { api, servers }
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()))
    await bindings.close()
    throw error
  }
}
