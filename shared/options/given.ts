/** Options as text, from a query or form fields, are read as what they stand for. */
import { type Faults, shown } from './faults.ts'
import { METADATA, OPTION_NAMES } from './schema.ts'

export type TextOption = readonly [name: string, value: string]

function valueOfText(name: string, text: string, faults: Faults): unknown {
  if (name === 'quality' && /^\d{1,9}$/.test(text)) return Number(text)
  if (name !== 'metadata') return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    faults.at(name)([], `${METADATA}, got ${shown(text)}`)
    return {}
  }
}

/** `variants` may be repeated, each adding to the list; any other option that is given twice is a fault. */
export function givenAsText(pairs: Iterable<TextOption>, faults: Faults): Map<string, unknown> {
  const given = new Map<string, unknown>()
  for (const [name, text] of pairs) {
    const before = given.get(name)
    if (name === 'variants' && typeof before === 'string') given.set(name, `${before},${text}`)
    else if (!given.has(name)) given.set(name, valueOfText(name, text, faults))
    else if (OPTION_NAMES.includes(name)) faults.at(name)([], 'Expected one value, got more than one')
  }
  return given
}
