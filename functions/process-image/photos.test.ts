/** Real photographs, where PHOTOS_DIR has them: the pictures that the other tests make are tame. */
import { readdirSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sizeOf } from '#shared/variant.ts'
import { PermanentFailure } from './failure.ts'
import { inspect } from './render.ts'
import { type RenderingFolder, renderingFolder, spec } from './rendering.fixture.ts'

const { PHOTOS_DIR: photos = '', PHOTOS_OUT: out } = process.env
const files = photos === '' ? [] : readdirSync(photos).filter((name) => !name.endsWith('.md'))

/** By what their names say of them. */
function refusalOf(name: string): string | null {
  if (/\.(tif|tiff|svg)$/.test(name)) return 'unsupported-image'
  return /^(corrupt|truncated)/.test(name) ? 'image-corrupt' : null
}

let folder: RenderingFolder
beforeAll(async () => {
  folder = await renderingFolder()
  if (out) await mkdir(out, { recursive: true })
})
afterAll(async () => await folder[Symbol.asyncDispose]())

describe.skipIf(files.length === 0)('photographs', () => {
  test.each(files.filter((name) => refusalOf(name) === null))(
    '%s is upright, sRGB, and of the right size',
    async (name) => {
      const bytes = await readFile(join(photos, name))
      const variants = [spec(1024, 1024), spec(800, 800), spec(200, 200, { fit: 'cover', position: 'attention' })]
      const { found, all } = await folder.rendered(bytes, variants)
      for (const { spec: asked, size, bytes: made } of all) {
        expect(size).toEqual(sizeOf(asked, found))
        const header = await sharp(made).metadata()
        expect(header).toMatchObject({ ...size, format: 'jpeg', space: 'srgb', channels: 3, depth: 'uchar' })
        expect([header.icc, header.exif, header.xmp, header.orientation]).toEqual(Array(4).fill(undefined))
        if (out) await writeFile(join(out, `${name}.${asked.name}${asked.fit === 'cover' ? '-cover' : ''}.jpg`), made)
      }
    },
  )

  test.each(files.filter((name) => refusalOf(name) !== null))('%s is refused', async (name) => {
    const bytes = await readFile(join(photos, name))
    const refusal = await folder.rendered(bytes, [spec(800, 800)]).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(PermanentFailure)
    expect((refusal as PermanentFailure).code).toBe(refusalOf(name))
  })

  test('what is wide upright is wide', async () => {
    for (const [pattern, isWide] of [
      [/landscape/, true],
      [/portrait/, false],
    ] as const) {
      for (const name of files.filter((each) => pattern.test(each))) {
        const { width, height } = await inspect(join(photos, name))
        expect(width > height).toBe(isWide)
      }
    }
  })
})
