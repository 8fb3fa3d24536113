/** How undici gets its sockets: none leaves here that was not judged at every step. */
import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { withoutFinalDot, type Endpoint } from './allow.ts'
import { notAllowed, type AddressGuard } from './guard.ts'

/** Milliseconds for the name, the connection and TLS together. */
const CONNECT_MS = 5_000

/**
 * Three checks, because each alone has a hole: undici asks no lookup for a literal address, a lookup's answer may not be
 * where the socket ends up, and at the socket alone it would be too late not to have called.
 */
export function guardedConnector(build: typeof buildConnector, guard: AddressGuard): buildConnector.connector {
  return (options, callback) => {
    const endpoint = endpointOfConnection(options)
    const refusal = guard.endpointRefusal(endpoint)
    if (refusal !== null) {
      callback(notAllowed(refusal), null)
      return
    }
    const lookup = guard.lookupFor(endpoint)
    const connect = build({ timeout: CONNECT_MS, allowH2: false, lookup: lookup as never })
    let refused = false
    const socket = connect(options, (...result) => {
      const [error, connected] = result
      if (error === null && !refused && guard.admits(endpoint, connected.remoteAddress))
        return callback(null, connected)
      connected?.destroy()
      callback(error ?? reachedElsewhere(endpoint), null)
    }) as unknown as Socket
    // Before TLS says its first word; the callback above comes only after the handshake.
    socket.prependOnceListener('connect', () => {
      if (guard.admits(endpoint, socket.remoteAddress)) return
      refused = true
      socket.destroy(reachedElsewhere(endpoint))
    })
  }
}

function reachedElsewhere({ host }: Endpoint) {
  return notAllowed(`expected ${host} to be at a public address, and its connection led elsewhere`)
}

function endpointOfConnection({ hostname, protocol, port }: buildConnector.Options): Endpoint {
  // undici takes the brackets off an IPv6 address; the guard is told of hosts as URLs spell them.
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
  const defaultPort = protocol === 'https:' ? 443 : 80
  return { host: withoutFinalDot(host), port: port === '' ? defaultPort : Number(port) }
}
