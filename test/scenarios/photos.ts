/**
 * Real photographs, where PHOTOS_DIR names a folder of them: the good ones come out right, the bad ones are refused.
 * PHOTOS_OUT names a folder for what came out, to be looked at.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { problemOf, taskOf, WAIT } from './client.ts'
import { expectClean } from '../pixels.ts'
import type { Place } from './running.ts'

/** By name, what is no good picture. */
const BAD = /truncated|corrupt|\.(tiff?|svg|pdf|heic)$/i

/** Mean distance, 0 to 255, of two pictures that are brought to one small size. */
async function difference(one: Buffer, other: Buffer): Promise<number> {
  const small = async (bytes: Buffer): Promise<Buffer> =>
    await sharp(bytes, { autoOrient: true })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize(32, 32, { fit: 'fill' })
      .removeAlpha()
      .raw()
      .toBuffer()
  const [a, b] = [await small(one), await small(other)]
  return a.reduce((sum, value, at) => sum + Math.abs(value - b[at % b.length]!), 0) / a.length
}

export function photos(place: Place): void {
  const folder = process.env.PHOTOS_DIR
  describe.runIf(folder)('photographs', () => {
    const names = folder ? readdirSync(folder).filter((name) => /\.[a-z]+$/.test(name) && !name.endsWith('.md')) : []
    const read = (name: string): Buffer => readFileSync(join(folder!, name))

    it.each(names.filter((name) => !BAD.test(name)))('%s', async (name) => {
      const bytes = read(name)
      const task = await place.api.completed(bytes, { variants: '1024x1024,300x300:cover' })
      const { autoOrient } = await sharp(bytes).metadata()
      expect(task.source).toMatchObject({ width: autoOrient.width, height: autoOrient.height })
      const scale = Math.min(1, 1024 / Math.max(autoOrient.width, autoOrient.height))
      const [whole] = task.variants
      expect(Math.abs(whole!.width - autoOrient.width * scale)).toBeLessThanOrEqual(0.5)
      expect(Math.abs(whole!.height - autoOrient.height * scale)).toBeLessThanOrEqual(0.5)
      const made = await place.api.bytes(whole!.href)
      await expectClean(made, { width: whole!.width, height: whole!.height, format: 'jpeg' })
      expect(await difference(bytes, made)).toBeLessThan(8)
      const kept = process.env.PHOTOS_OUT
      if (kept) {
        await mkdir(kept, { recursive: true })
        await writeFile(join(kept, `${name}.jpg`), made)
      }
    })

    it.each(names.filter((name) => BAD.test(name)))('%s is refused', async (name) => {
      const response = await place.api.upload(read(name), {}, WAIT)
      const code = response.status >= 400 ? (await problemOf(response)).code : (await taskOf(response)).error?.code
      expect(['image-corrupt', 'unsupported-image']).toContain(code)
    })
  })
}
