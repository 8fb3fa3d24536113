/** Options as given, in whatever form, become a task's options with every default filled in. */
import { Buffer } from 'node:buffer'
import type { Settings } from '#shared/bindings.ts'
import { METADATA_BYTES_MAX, METADATA_PAIRS_MAX, VARIANTS_MAX } from '#shared/limits.ts'
import type { TaskOptions } from '#shared/task.ts'
import type { VariantSpec } from '#shared/variant.ts'
import { parseColour } from './colours.ts'
import { type Faults, type Report, issuesOf, shown } from './faults.ts'
import { parseVariant, type VariantDefaults } from './grammar.ts'
import { OPTION_NAMES, OPTION_SCHEMAS } from './schema.ts'

const VARIANTS_DEFAULT = '1024x1024,800x800'
const BACKGROUND_DEFAULT = '#ffffff'

/** Option name → value: text of a field or parameter already read as what it stands for, or a JSON member. */
export type Given = ReadonlyMap<string, unknown>

export interface Asked {
  options: TaskOptions
  metadata: Record<string, string>
  callbackUrl: string | null
}

type SchemaName = keyof typeof OPTION_SCHEMAS
type ValueOf<Name extends SchemaName> = ReturnType<(typeof OPTION_SCHEMAS)[Name]['parse']>

function valueOf<Name extends SchemaName>(name: Name, given: Given, faults: Faults): ValueOf<Name> | undefined {
  if (!given.has(name)) return undefined
  const value = given.get(name)
  const parsed = OPTION_SCHEMAS[name].safeParse(value)
  if (parsed.success) return parsed.data as ValueOf<Name>
  for (const { path, detail } of issuesOf(parsed.error, value)) faults.at(name)(path, detail)
  return undefined
}

function backgroundOf(given: Given, faults: Faults): string {
  const asked = valueOf('background', given, faults)
  if (asked === undefined) return BACKGROUND_DEFAULT
  const colour = parseColour(asked)
  if (colour === null) faults.at('background')([], `Expected #rgb, #rrggbb or a CSS colour name, got ${shown(asked)}`)
  return colour ?? BACKGROUND_DEFAULT
}

function metadataOf(given: Given, faults: Faults): Record<string, string> {
  const metadata = valueOf('metadata', given, faults) ?? {}
  const pairs = Object.entries(metadata)
  const bytes = pairs.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  const report = faults.at('metadata')
  const asked = given.get('metadata')
  // Valid in JSON, but no object of ours can have it as a key like any other.
  if (typeof asked === 'object' && asked !== null && Object.hasOwn(asked, '__proto__')) {
    report([], 'Expected keys other than "__proto__"')
  }
  if (pairs.length > METADATA_PAIRS_MAX) report([], `Expected at most ${METADATA_PAIRS_MAX} pairs, got ${pairs.length}`)
  if (bytes > METADATA_BYTES_MAX) report([], `Expected at most ${METADATA_BYTES_MAX} bytes, got ${bytes}`)
  if (Object.hasOwn(metadata, '')) report([], 'Expected keys that are not empty, got ""')
  return metadata
}

/** Text is a list with commas; a JSON list, or a repeated field, has one entry for each. */
function entriesOf(asked: unknown): unknown[] | null {
  if (typeof asked === 'string') return asked.split(',').map((entry) => entry.trim())
  return Array.isArray(asked) ? asked : null
}

function variantsOf(given: Given, defaults: VariantDefaults, report: Report): VariantSpec[] {
  const asked = given.has('variants') ? given.get('variants') : VARIANTS_DEFAULT
  const entries = entriesOf(asked)
  if (entries === null) {
    report([], `Expected text or a list, got ${shown(asked)}`)
    return []
  }
  if (entries.length === 0 || entries.length > VARIANTS_MAX) {
    report([], `Expected 1 to ${VARIANTS_MAX} variants, got ${entries.length}`)
    return []
  }
  const names = new Set<string>()
  return entries.flatMap((entry, index) => {
    const spec = parseVariant(entry, defaults, (path, detail) => report([index, ...path], detail))
    if (spec === null) return []
    if (spec.name === 'original') report([index], 'Expected another name than "original"')
    if (names.has(spec.name)) report([index], `Expected unique names, got ${shown(spec.name)} twice`)
    names.add(spec.name)
    return [spec]
  })
}

/** Reports every fault and goes on with the defaults: the caller settles the faults before it uses what came out. */
export function normalise(given: Given, settings: Settings, faults: Faults): Asked {
  for (const name of given.keys()) {
    if (!OPTION_NAMES.includes(name)) {
      faults.at(name)([], `Unknown option ${shown(name)}; the options are ${OPTION_NAMES.join(', ')}`)
    }
  }
  const format = valueOf('format', given, faults) ?? 'jpeg'
  const defaults: VariantDefaults = {
    format,
    quality: valueOf('quality', given, faults) ?? null,
    position: valueOf('position', given, faults) ?? 'centre',
    presets: settings.presets,
  }
  return {
    options: {
      variants: variantsOf(given, defaults, faults.at('variants')),
      format,
      background: backgroundOf(given, faults),
      original: valueOf('original', given, faults) ?? 'keep',
      access: valueOf('access', given, faults) ?? (settings.keyed ? 'signed' : 'public'),
    },
    metadata: metadataOf(given, faults),
    callbackUrl: valueOf('callbackUrl', given, faults) ?? null,
  }
}
