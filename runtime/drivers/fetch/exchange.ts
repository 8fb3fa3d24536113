/** Requests over guarded sockets, redirects and all. Loaded with the first request: undici is heavy. */
import { Agent, buildConnector, type Dispatcher } from 'undici'
import type { GuardedFetch } from '#shared/bindings.ts'
import { KIB, REDIRECTS_MAX, SECOND_MS, SOURCE_FETCH_MS } from '#shared/limits.ts'
import { guardedConnector } from './connector.ts'
import { problemOf, unreachable } from './failure.ts'
import { notAllowed, type AddressGuard } from './guard.ts'
import { discard, responseOf } from './response.ts'

const USER_AGENT = 'Revela/0.1'
/** Bytes of an answer's headers. */
const HEADERS_BYTES_MAX = 16 * KIB
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Headers that belong to the connection, which is not the caller's. */
const OWN_HEADERS: ReadonlySet<string> = new Set(['host', 'connection', 'accept-encoding', 'content-length'])

type Init = Parameters<GuardedFetch['request']>[1]

export interface Exchange {
  request: GuardedFetch['request']
  close(): Promise<void>
}

export function openExchange(guard: AddressGuard): Exchange {
  const agent = new Agent({
    connect: guardedConnector(buildConnector, guard),
    allowH2: false,
    // One connection for each request: a kept one would be used again without its host being judged again.
    pipelining: 0,
    maxHeaderSize: HEADERS_BYTES_MAX,
    // A second late: the signal is what ends a request, and these only see that nothing outlives it.
    headersTimeout: SOURCE_FETCH_MS + SECOND_MS,
    bodyTimeout: SOURCE_FETCH_MS + SECOND_MS,
  })

  async function send(url: URL, init: Init, signal: AbortSignal, foreign: boolean): Promise<Dispatcher.ResponseData> {
    signal.throwIfAborted()
    const response = agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: init.method,
      headers: headersOf(foreign ? {} : init.headers),
      body: init.body ?? null,
      signal,
    })
    return await unlessAborted(response, signal)
  }

  async function follow(start: string, init: Init, signal: AbortSignal): Promise<Response> {
    let target = start
    let origin: string | undefined
    let foreign = false
    for (let redirects = 0; ; redirects++) {
      const refusal = guard.refusal(target)
      if (refusal !== null) throw notAllowed(refusal)
      const url = new URL(target)
      origin ??= url.origin
      // For good: a foreign host must not choose which path of the first one gets the caller's headers.
      foreign ||= url.origin !== origin
      try {
        const data = await send(url, init, signal, foreign)
        const location = init.method === 'GET' && REDIRECTS.has(data.statusCode) ? data.headers.location : undefined
        if (location === undefined) return responseOf(data, url.host, signal)
        discard(data)
        if (redirects === REDIRECTS_MAX) throw unreachable(url.host, `it redirects more than ${REDIRECTS_MAX} times`)
        const next = URL.parse(String(location), url.href)
        if (next === null) throw unreachable(url.host, 'it redirects to something that is no URL')
        target = next.href
      } catch (error) {
        throw problemOf(error, url.host, signal)
      }
    }
  }

  return {
    request: async (url, init) => {
      const signal = AbortSignal.any([init.signal, AbortSignal.timeout(SOURCE_FETCH_MS)])
      return await follow(url, init, signal)
    },
    close: () => agent.destroy(),
  }
}

function headersOf(given: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value] as const)
  return {
    'user-agent': USER_AGENT,
    accept: '*/*',
    ...Object.fromEntries(own.filter(([name]) => !OWN_HEADERS.has(name))),
    'accept-encoding': 'identity',
  }
}

/** undici notices an abort only once it has a connection; a resolver that is silent would hold it until CONNECT_MS. */
async function unlessAborted(
  response: Promise<Dispatcher.ResponseData>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([response, aborted])
  } catch (error) {
    // Where the abort was first, an answer may still come, and somebody has to let go of it.
    response.then(discard).catch(() => {})
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
