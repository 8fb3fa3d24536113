/** The variants grammar: `WxH`, `Wx`, `xH`, `WxH:cover`, a name that the server defines, or an object. */
import { BOX, type Box, parseBox } from '#shared/box.ts'
import { type OutputFormat, type Position, VARIANT_NAME, type VariantSpec } from '#shared/variant.ts'
import { type Report, issuesOf, shown } from './faults.ts'
import { VariantSchema } from './schema.ts'

/** What a variant takes where it says nothing itself. */
export interface VariantDefaults {
  format: OutputFormat
  quality: number | null
  position: Position
  /** name → box, in this grammar. */
  presets: Record<string, string>
}

type Placed = Box & Pick<VariantSpec, 'position'>

/** `1024x1024`, `800x`, `x600`; of a cover `200x200-cover`, and its position where that is not the centre. */
function nameOf({ width, height, fit, position }: Placed): string {
  const box = `${width ?? ''}x${height ?? ''}`
  if (fit === 'inside') return box
  return position === 'centre' ? `${box}-cover` : `${box}-cover-${position}`
}

function fromText(text: string, defaults: VariantDefaults, report: Report): VariantSpec | null {
  const { format, quality, position, presets } = defaults
  const preset = Object.hasOwn(presets, text) ? presets[text] : undefined
  const parsed = parseBox(preset ?? text)
  if (typeof parsed !== 'string') {
    const box = { ...parsed, position }
    return { name: preset === undefined ? nameOf(box) : text, ...box, format, quality }
  }
  const fault = `Expected ${parsed}, got ${shown(text)}`
  const known = Object.keys(presets)
  const looksLikeName = VARIANT_NAME.test(text) && !BOX.test(text)
  report([], looksLikeName && known.length > 0 ? `${fault}, which is none of ${known.join(', ')}` : fault)
  return null
}

function fromObject(asked: object, defaults: VariantDefaults, report: Report): VariantSpec | null {
  const parsed = VariantSchema.safeParse(asked)
  if (!parsed.success) {
    for (const { path, detail } of issuesOf(parsed.error, asked)) report(path, detail)
    return null
  }
  const { width = null, height = null, fit = 'inside', quality, ...rest } = parsed.data
  if (width === null && height === null) {
    report([], 'Expected a width, a height or both, got neither')
    return null
  }
  if (fit === 'cover' && (width === null || height === null)) {
    report([], 'Expected both width and height for fit cover, got one')
    return null
  }
  const box: Placed = { width, height, fit, position: rest.position ?? defaults.position }
  return {
    name: rest.name ?? nameOf(box),
    ...box,
    format: rest.format ?? defaults.format,
    quality: quality ?? defaults.quality,
  }
}

/** One variant with its defaults filled in; null when it was reported as faulty. */
export function parseVariant(asked: unknown, defaults: VariantDefaults, report: Report): VariantSpec | null {
  if (typeof asked === 'string') return fromText(asked, defaults, report)
  if (typeof asked === 'object' && asked !== null && !Array.isArray(asked)) return fromObject(asked, defaults, report)
  report([], `Expected a box like 800x600 or an object, got ${shown(asked)}`)
  return null
}
