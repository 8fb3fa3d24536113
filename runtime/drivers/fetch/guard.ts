/** The judgement on a URL, on the addresses its host resolves to, and on the one that a socket reached. */
import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { Problem } from '#shared/errors.ts'
import { isLocalName, isPublic, parseAddress } from './address.ts'
import { allowList, withoutFinalDot, type Endpoint } from './allow.ts'

type LookupAll = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
/** As node:dns has it, always with all addresses. */
export type Lookup = (hostname: string, options: LookupOptions & { all: true }, callback: LookupAll) => void

export interface AddressGuard {
  /** Why the URL may not be fetched as it is spelled; null when it may. */
  refusal(url: string): string | null
  /** Why nothing may be sent to this host under its name alone; null when that, or its addresses, may decide. */
  endpointRefusal(endpoint: Endpoint): string | null
  /** True where a socket that was opened for the endpoint may go on to talk to this address. */
  admits(endpoint: Endpoint, address: string | undefined): boolean
  /** A lookup that fails with Problem `url-not-allowed` when any address of the host is closed. */
  lookupFor(endpoint: Endpoint): Lookup
}

const EXPECTED = 'expected an http or https URL to a public host'
const OPENS = 'ALLOW_HOSTS opens others'

export function notAllowed(reason: string): Problem {
  return new Problem('url-not-allowed', reason)
}

/** Host and port of a URL in the form that is judged. */
function endpointOf(url: URL): Endpoint {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { host: withoutFinalDot(url.hostname), port }
}

export function addressGuard(allowHosts: readonly string[], lookup: Lookup = dnsLookup): AddressGuard {
  const allowed = allowList(allowHosts)

  function admits(endpoint: Endpoint, text: string | undefined): boolean {
    // A socket without an address is one that is closed already.
    if (text === undefined) return false
    if (allowed.name(endpoint)) return true
    const address = parseAddress(text)
    return address !== null && (isPublic(address) || allowed.address(address, endpoint.port))
  }

  function endpointRefusal(endpoint: Endpoint): string | null {
    const { host } = endpoint
    if (allowed.name(endpoint)) return null
    const literal = host.startsWith('[') || parseAddress(host) !== null
    const closed = literal ? !admits(endpoint, host) : isLocalName(host)
    return closed ? `${EXPECTED}, got ${host}, which is not public; ${OPENS}` : null
  }

  return {
    admits,
    endpointRefusal,
    refusal(text) {
      const url = URL.parse(text)
      if (url === null) return `${EXPECTED}, got something that is no URL; ${OPENS}`
      if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        return `${EXPECTED}, got the scheme ${url.protocol.slice(0, -1)}; ${OPENS}, never other schemes`
      }
      if (url.username !== '' || url.password !== '') {
        return `${EXPECTED} without credentials, got some for ${url.hostname}; ${OPENS}, never credentials`
      }
      return endpointRefusal(endpointOf(url))
    },
    lookupFor: (endpoint) => (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, [])
        // One closed address closes the host: which of them is taken is decided by timing, which a stranger can steer.
        if (addresses.length > 0 && addresses.every(({ address }) => admits(endpoint, address))) {
          return callback(null, addresses)
        }
        callback(
          notAllowed(`${EXPECTED}, got ${endpoint.host}, which resolves to an address that is not; ${OPENS}`),
          [],
        )
      })
    },
  }
}
