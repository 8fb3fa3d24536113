/** Renders a picture as process-image does, from bytes to bytes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { VariantSpec } from '#shared/variant.ts'
import { inspect, type Picture, render, type RenderedVariant } from './render.ts'
import type { Look } from './look.ts'

export function spec(width: number | null, height: number | null, more: Partial<VariantSpec> = {}): VariantSpec {
  const name = `${width ?? ''}x${height ?? ''}`
  return { name, width, height, fit: 'inside', position: 'centre', format: 'jpeg', quality: null, ...more }
}

export interface RenderingFolder extends AsyncDisposable {
  path: string
  file(bytes: Uint8Array | string): Promise<string>
  /** Variants in the order in which they were asked for. */
  rendered(
    bytes: Uint8Array | string,
    variants: VariantSpec[],
    background?: string,
  ): Promise<{ found: Picture; look: Look; all: RenderedVariant[] }>
  one(bytes: Uint8Array | string, variant: VariantSpec, background?: string): Promise<RenderedVariant>
}

export async function renderingFolder(): Promise<RenderingFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-render-'))
  let files = 0
  const file: RenderingFolder['file'] = async (bytes) => {
    const path = join(folder, String(files++))
    await writeFile(path, bytes)
    return path
  }
  const rendered: RenderingFolder['rendered'] = async (bytes, variants, background = '#ffffff') => {
    const path = await file(bytes)
    const found = await inspect(path)
    const { look, variants: made } = await render(path, found, { variants, background })
    const all = new Map<string, RenderedVariant>()
    for await (const variant of made) all.set(variant.spec.name, variant)
    return { found, look, all: variants.flatMap(({ name }) => all.get(name) ?? []) }
  }
  return {
    path: folder,
    file,
    rendered,
    one: async (bytes, variant, background) => (await rendered(bytes, [variant], background)).all[0]!,
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  }
}
