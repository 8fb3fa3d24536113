/** A bundle that streams, for AWS's runtime client. GATE: where it waits before its last words. */
import { createApp } from '#shared/http.ts'
import { QUEUE_CONFIG, answering, testCloud } from '../../../test/clouds/cloud.ts'
import { awsLambda } from './handler.ts'

const encoder = new TextEncoder()
const app = createApp()
app.get('/it', () => {
  const headers = new Headers({ 'content-type': 'text/plain' })
  headers.append('set-cookie', 'a=1')
  headers.append('set-cookie', 'b=2')
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(encoder.encode('first '))
      await fetch(process.env['GATE']!)
      controller.enqueue(encoder.encode('last'))
      controller.close()
    },
  })
  return new Response(body, { status: 203, headers })
})
app.get('/empty', () => new Response(null, { status: 204 }))
app.get('/large', () => new Response(new Uint8Array(20_000_000)))
app.get('/broken', () => {
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error('broken in its midst')),
  })
  return new Response(body)
})

const routes = ['GET /it', 'GET /empty', 'GET /large', 'GET /broken'] as const
const functions = [
  { name: 'it', config: { trigger: { type: 'http' as const, routes }, timeoutMs: 5_000 }, app },
  { name: 'worker', config: QUEUE_CONFIG, app: answering(() => new Response(null, { status: 500 })) },
]
export const { handler, stream } = await awsLambda(testCloud(functions).options)
