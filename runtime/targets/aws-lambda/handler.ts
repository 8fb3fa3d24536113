/**
 * The aws-lambda target. A bundle's entry is
 * `export const { handler, stream } = await awsLambda({ functions, config: readConfig(), openStack })`.
 */
import type { Context, StreamifyHandler } from 'aws-lambda'
import { type CloudOptions, openCloudFunction, type CloudFunction } from '../cloud/open.ts'
import { wokenBy, type Woken } from './events.ts'
import { answer, wholeResult } from './http.ts'
import { takeBatch } from './queue.ts'
import { sendResponse, sendResult, type StreamingHost, streamingHost } from './stream.ts'
import { takeTick } from './timer.ts'

export type LambdaHandler = (event: unknown, context: Context) => Promise<unknown>

export interface Lambda {
  /** Behind API Gateway, a function URL, SQS or EventBridge. */
  handler: LambdaHandler
  /** Behind a function URL with InvokeMode RESPONSE_STREAM; null where the host cannot stream. */
  stream: StreamifyHandler | null
}

type Eventful = Exclude<Woken, { kind: 'http' }>

async function take(cloud: CloudFunction, woken: Eventful, context: Context): Promise<unknown> {
  return woken.kind === 'queue'
    ? await takeBatch(cloud, woken.event, context)
    : await takeTick(cloud, woken.event, context)
}

function streaming(cloud: CloudFunction, host: StreamingHost): StreamifyHandler {
  return host.streamifyResponse<unknown>(async (event, stream, context) => {
    const woken = wokenBy(event)
    if (woken.kind === 'http') await sendResponse(host, stream, await answer(cloud, woken.event, context))
    else sendResult(stream, await take(cloud, woken, context))
  })
}

export async function awsLambda(options: CloudOptions): Promise<Lambda> {
  const cloud = await openCloudFunction(options)
  const host = streamingHost()
  return {
    async handler(event, context) {
      const woken = wokenBy(event)
      if (woken.kind !== 'http') return await take(cloud, woken, context)
      const { path } = woken.event.requestContext.http
      return await wholeResult(await answer(cloud, woken.event, context), path)
    },
    stream: host && streaming(cloud, host),
  }
}
