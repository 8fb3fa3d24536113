/** HTTP as API Gateway (payload format 2.0) and function URLs bring it, and take it back. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { Problem, problemResponse, unavailable } from '#shared/errors.ts'
import type { CloudFunction } from '../cloud/open.ts'
import { ANSWER_BYTES_MAX, GATEWAY_MS } from './limits.ts'

const MALFORMED = new Problem('invalid-request', 'The request line or a header is malformed.')

/** Of the connection between two hops: none of them is ours to send. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
])

/** A stage stands before the path, but for the default one and behind a domain of one's own. */
function pathOf({ rawPath, requestContext: { stage } }: APIGatewayProxyEventV2): string {
  const isStaged = stage !== '$default' && (rawPath === `/${stage}` || rawPath.startsWith(`/${stage}/`))
  return (isStaged ? rawPath.slice(stage.length + 1) : rawPath) || '/'
}

/** The Fetch standard has no request of these; they are refused as any other that a path does not have. */
const FORBIDDEN = /^(connect|trace|track)$/i

function namedRequest(url: string, method: string, init: RequestInit): Request {
  if (!FORBIDDEN.test(method)) return new Request(url, { ...init, method })
  return Object.defineProperty(new Request(url, { ...init, method: 'OPTIONS' }), 'method', { value: method })
}

/** Throws TypeError for what is no request. */
function requestOf(event: APIGatewayProxyEventV2): Request {
  const { rawQueryString, cookies, body, isBase64Encoded } = event
  const { domainName, http } = event.requestContext
  const headers = new Headers()
  for (const [name, value] of Object.entries(event.headers)) if (value !== undefined) headers.set(name, value)
  if (cookies?.length) headers.set('cookie', cookies.join('; '))
  const host = headers.get('host') ?? domainName
  const url = `https://${host}${pathOf(event)}${rawQueryString ? `?${rawQueryString}` : ''}`
  const hasBody = body !== undefined && http.method !== 'GET' && http.method !== 'HEAD'
  const bytes = hasBody ? new Uint8Array(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')) : null
  return namedRequest(url, http.method, { headers, body: bytes })
}

/** A gateway gives up before most functions would; a function URL has all of the function's time. */
function remainingOf({ requestContext: { domainName } }: APIGatewayProxyEventV2, context: Context): number {
  const remainingMs = context.getRemainingTimeInMillis()
  return domainName.includes('.lambda-url.') ? remainingMs : Math.min(remainingMs, GATEWAY_MS)
}

export interface Head {
  statusCode: number
  headers: Record<string, string>
  /** Apart, since headers of one name cannot be told apart otherwise. */
  cookies: string[]
}

export function headOf({ status, headers }: Response): Head {
  const named = [...headers].filter(([name]) => name !== 'set-cookie' && !CONNECTION_FIELDS.has(name))
  return { statusCode: status, headers: Object.fromEntries(named), cookies: headers.getSetCookie() }
}

export async function answer(cloud: CloudFunction, event: APIGatewayProxyEventV2, context: Context): Promise<Response> {
  const { path } = event.requestContext.http
  let request: Request
  try {
    request = requestOf(event)
  } catch {
    return problemResponse(MALFORMED, { publicUrl: cloud.config.PUBLIC_URL, instance: path })
  }
  const client = event.requestContext.http.sourceIp
  return await cloud.fetch(request, { client, remainingMs: remainingOf(event, context) })
}

/** The whole body; null, and the rest is let go, where there is more of it than Lambda takes back. */
async function bodyOf(response: Response): Promise<Buffer | null> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > ANSWER_BYTES_MAX) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes)
}

/** As text, which is smaller, where it is text for certain. */
function isText(headers: Headers): boolean {
  const type = headers.get('content-type') ?? ''
  return /^(text\/|application\/([\w.-]+\+)?json\b)/i.test(type) && !headers.has('content-encoding')
}

function tooLarge(instance: string): Problem {
  const detail =
    `The answer has more than ${ANSWER_BYTES_MAX} bytes, the most that this gateway carries at ${instance}. ` +
    'Ask for ranges of it, or at an address that streams.'
  return new Problem('too-large', detail, { status: 502 })
}

/** Nothing of the answer was sent yet, so that it can still be said that there is none. */
function brokenOff(error: unknown): Problem {
  return error instanceof Problem ? error : unavailable('body of the answer', error)
}

/** As one object, which is what a gateway takes. */
export async function wholeResult(response: Response, instance: string): Promise<APIGatewayProxyStructuredResultV2> {
  const body = await bodyOf(response).catch(brokenOff)
  const problem = body === null ? tooLarge(instance) : body
  if (problem instanceof Problem) return await wholeResult(problemResponse(problem, { instance }), instance)
  return resultOf(response, problem)
}

function resultOf(response: Response, body: Buffer): APIGatewayProxyStructuredResultV2 {
  const head = headOf(response)
  if (body.byteLength === 0) return head
  return isText(response.headers)
    ? { ...head, body: body.toString(), isBase64Encoded: false }
    : { ...head, body: body.toString('base64'), isBase64Encoded: true }
}
