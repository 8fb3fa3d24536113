/** Which addresses the server may call on behalf of a stranger. */
import ipaddr from 'ipaddr.js'

/** Public by its number, but answered by the host: Azure's metadata and agent endpoint. */
const METADATA_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16'])
/** What IANA gives out as global unicast (RFC 4291 §2.4). The rest, such as `::127.0.0.1`, has no reader but this host. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
/** NAT64's well-known prefix (RFC 6052 §2.1): a network without IPv4 reaches every IPv4 address through it. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

export type Address = ipaddr.IPv4 | ipaddr.IPv6

/** An address as a resolver or a socket writes it, mapped IPv4 as IPv4. Null for what is none, or has a zone id. */
export function parseAddress(text: string): Address | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  // A zone names an interface of this host: nothing public has one. `isValidFourPartDecimal`, because the shorter
  // spellings (127.1, 0x7f.1) are for the URL parser to expand, and ipaddr.js reads some of them its own way.
  if (bare.includes('%')) return null
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare)
  if (!ipaddr.IPv6.isValid(bare)) return null
  const address = ipaddr.IPv6.parse(bare)
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

/** True for global unicast alone. An address that embeds an IPv4 one is judged by that, or refused (6to4, Teredo). */
export function isPublic(address: Address): boolean {
  if (address instanceof ipaddr.IPv4) {
    return address.range() === 'unicast' && !METADATA_ADDRESSES.has(address.toString())
  }
  if (address.match(NAT64)) return isPublic(new ipaddr.IPv4(address.toByteArray().slice(12)))
  return address.range() === 'unicast' && address.match(GLOBAL_UNICAST)
}

/** Names that mean this host, whatever a resolver says (RFC 6761 §6.3). */
export function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost')
}
