/** Events as AWS sends them, and the context beside them. */
import type { Message } from '#shared/message.ts'
import { structured } from '#shared/cloud-event.ts'

export interface LambdaContext {
  getRemainingTimeInMillis(): number
  functionName: string
}

export function contextOf(remainingMs = 30_000): LambdaContext {
  const until = performance.now() + remainingMs
  return { functionName: 'test', getRemainingTimeInMillis: () => Math.max(0, until - performance.now()) }
}

export interface HttpEventOptions {
  method?: string
  path?: string
  query?: string
  headers?: Record<string, string>
  cookies?: string[]
  body?: string
  isBase64Encoded?: boolean
  stage?: string
  domainName?: string
}

/** Payload format 2.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html */
export function httpEvent(options: HttpEventOptions = {}) {
  const { method = 'GET', path = '/', query = '', headers = {}, stage = '$default', ...rest } = options
  const { domainName = 'abc123.execute-api.eu-central-1.amazonaws.com', isBase64Encoded = false, ...given } = rest
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers: { host: domainName, ...headers },
    requestContext: {
      accountId: '123456789012',
      apiId: 'abc123',
      domainName,
      domainPrefix: 'abc123',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
      requestId: 'request-1',
      routeKey: '$default',
      stage,
      time: '12/Mar/2026:19:03:58 +0000',
      timeEpoch: 1_773_342_238_000,
    },
    isBase64Encoded,
    ...given,
  }
}

export interface RecordOptions {
  id?: string
  received?: number
  queue?: string
}

export function sqsRecord(body: string | Message, options: RecordOptions = {}) {
  const { id = 'm-1', received = 1, queue = 'image-processing' } = options
  return {
    messageId: id,
    receiptHandle: `receipt-of-${id}`,
    body: typeof body === 'string' ? body : JSON.stringify(structured(body)),
    attributes: {
      ApproximateReceiveCount: String(received),
      SentTimestamp: '1773342238000',
      SenderId: 'AIDA',
      ApproximateFirstReceiveTimestamp: '1773342238001',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:eu-central-1:123456789012:${queue}`,
    awsRegion: 'eu-central-1',
  }
}

export function scheduledEvent(time: string, rule = 'revela-sweep-tasks') {
  return {
    version: '0',
    id: '53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa',
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account: '123456789012',
    time,
    region: 'eu-central-1',
    resources: [`arn:aws:events:eu-central-1:123456789012:rule/${rule}`],
    detail: {},
  }
}
