/** The azure target: each function of a bundle, registered in the programming model v4 by what its config says. */
import { app, type HttpHandler, type HttpMethod } from '@azure/functions'
import { SECOND_MS } from '#shared/limits.ts'
import type { LoadedFunction } from '../../loader.ts'
import { type CloudFunction, type CloudOptions, openCloudFunction } from '../cloud/open.ts'
import { requestOf, responseInitOf } from './http.ts'
import { takeQueueEntry } from './queue.ts'
import { ncrontabOf } from './schedule.ts'

const METHODS: HttpMethod[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** The setting that names the storage account of the queues; the driver reads the same. */
const CONNECTION = 'AZURE_STORAGE_CONNECTION_STRING'

function registerHttp({ name, config: { trigger } }: LoadedFunction, handler: HttpHandler): void {
  if (trigger.type !== 'http') return
  trigger.routes.forEach((route, index) => {
    const [method, path] = route.split(' ') as [HttpMethod, string]
    const methods: HttpMethod[] = method === 'GET' ? ['GET', 'HEAD'] : [method]
    const options = { methods, authLevel: 'anonymous' as const, route: path.slice(1), handler }
    app.http(index === 0 ? name : `${name}-${index + 1}`, options)
  })
}

function register(cloud: CloudFunction, fn: LoadedFunction, handler: HttpHandler): void {
  const { trigger } = fn.config
  switch (trigger.type) {
    case 'http':
      return registerHttp(fn, handler)
    case 'queue':
      return app.storageQueue(fn.name, {
        queueName: `${cloud.config.QUEUE_PREFIX}${trigger.queue}`,
        connection: CONNECTION,
        handler: async (entry, context) => await takeQueueEntry(cloud, trigger.queue, entry, context),
      })
    case 'timer':
      return app.timer(fn.name, {
        schedule: ncrontabOf(trigger),
        // To the second: it may come a moment early or late.
        handler: async () => await cloud.tick(Math.round(Date.now() / SECOND_MS) * SECOND_MS, Infinity, fn.name),
      })
  }
}

/** Awaited at the top of the file that `main` of package.json names: what comes later is not registered. */
export async function registerAzure(options: CloudOptions): Promise<void> {
  // A host without streams is told so by a setting: bodies are read whole then.
  app.setup({ enableHttpStream: options.config.AZURE_HTTP_STREAM === 'on' })
  const cloud = await openCloudFunction({ waitMaxMs: Infinity, ...options })
  const handler: HttpHandler = async (incoming) => {
    const { request, arrival } = requestOf(incoming)
    return responseInitOf(await cloud.fetch(request, arrival))
  }
  for (const fn of cloud.functions) register(cloud, fn, handler)
  // Health and documentation, and what no function answers: 404, 405 and OPTIONS are those of every target.
  if (cloud.functions.some(({ config }) => config.trigger.type === 'http')) {
    app.http('revela-edge', { methods: METHODS, authLevel: 'anonymous', route: '{*path}', handler })
  }
  app.hook.appTerminate(async () => await cloud.close())
}
