/** ALLOW_HOSTS: what is open besides the public internet. */
import ipaddr from 'ipaddr.js'
import { ConfigError } from '#shared/errors.ts'
import { parseAddress, type Address } from './address.ts'

/** A host to be judged: its name as the URL parser writes it, and the port that is connected to. */
export interface Endpoint {
  /** Lower case, no dot at the end; an IPv6 address in brackets. */
  host: string
  port: number
}

export interface AllowList {
  /** The name, or the address that stands in its place, is open: whatever it resolves to. */
  name(endpoint: Endpoint): boolean
  /** The address is open, under whatever name it was found. */
  address(address: Address, port: number): boolean
}

type Rule =
  | { kind: 'name'; name: string; below: boolean; port: number | null }
  | { kind: 'network'; network: [Address, number]; port: number | null }

const FORMS = 'a host name, *.example.com, an address, a CIDR, or one of these but the last with :port'
/** `*.` or not, a name or address (IPv6 in brackets), a port or not. */
const ENTRY = /^(\*\.)?(\[[^\]]+\]|[^:[\]/@?#\s\\*]+)(?::(\d{1,5}))?$/
const PORT_MAX = 65_535

function ruleOf(entry: string): Rule {
  const network = networkOf(entry)
  if (network !== null) return { kind: 'network', network, port: null }
  const [, star, hostText, portText] = ENTRY.exec(entry) ?? []
  // The same parser as for URLs: case, punycode and spellings of addresses come out the same on both sides.
  const url = hostText === undefined ? null : URL.parse(`http://${hostText}/`)
  const port = portText === undefined ? null : Number(portText)
  const address = url === null ? null : parseAddress(url.hostname)
  if (url === null || (port ?? 0) > PORT_MAX || (star !== undefined && address !== null)) {
    throw new ConfigError(`ALLOW_HOSTS: expected ${FORMS}, got ${JSON.stringify(entry)}`)
  }
  if (address !== null) return { kind: 'network', network: single(address), port }
  return { kind: 'name', name: withoutFinalDot(url.hostname), below: star !== undefined, port }
}

function single(address: Address): [Address, number] {
  return [address, address.toByteArray().length * 8]
}

function networkOf(entry: string): [Address, number] | null {
  const [text, bits, more] = entry.split('/')
  if (text === undefined || bits === undefined) {
    const address = parseAddress(entry)
    return address === null ? null : single(address)
  }
  if (more !== undefined || !ipaddr.isValidCIDR(entry) || parseAddress(text) === null) return null
  const [address, length] = ipaddr.parseCIDR(entry)
  const mapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && length >= 96
  return mapped ? [address.toIPv4Address(), length - 96] : [address, length]
}

export function withoutFinalDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** Throws ConfigError on an entry that is none of the forms, naming ALLOW_HOSTS. */
export function allowList(entries: readonly string[]): AllowList {
  const rules = entries.map((entry) => ruleOf(entry.trim()))
  const portFits = (rule: Rule, port: number): boolean => rule.port === null || rule.port === port
  return {
    name: ({ host, port }) =>
      rules.some((rule) => {
        if (rule.kind !== 'name' || !portFits(rule, port)) return false
        return rule.below ? host.endsWith(`.${rule.name}`) : host === rule.name
      }),
    address: (address, port) =>
      rules.some((rule) => {
        if (rule.kind !== 'network' || !portFits(rule, port)) return false
        return address.kind() === rule.network[0].kind() && address.match(rule.network)
      }),
  }
}
