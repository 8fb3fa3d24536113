/** The pictures that are measured, made once and written to files. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { animation, picture } from '../pictures.ts'

export interface PictureFile {
  file: string
  type: string
}

const WIDTH = 4000
const HEIGHT = 3000

/** Grain at one scale, grown to the whole picture: a mean of 128, so that layers can be laid over each other. */
async function grain(scale: number, sigma: number): Promise<Buffer> {
  const [width, height] = [Math.round(WIDTH / scale), Math.round(HEIGHT / scale)]
  const noise = { type: 'gaussian', mean: 128, sigma } as const
  return await sharp({ create: { width, height, channels: 3, background: '#808080', noise } })
    .resize(WIDTH, HEIGHT, { kernel: 'cubic', fit: 'fill' })
    .png({ compressionLevel: 0 })
    .toBuffer()
}

/** 12 megapixels with detail at every scale, as a photograph has it: about 3 MB. */
async function photograph(): Promise<Buffer> {
  const [base, ...layers] = await Promise.all([
    grain(500, 90),
    grain(100, 60),
    grain(16, 40),
    grain(4, 25),
    grain(1, 8),
  ])
  return await sharp(base)
    .composite(layers.map((input) => ({ input, blend: 'overlay' })))
    .removeAlpha()
    .jpeg({ quality: 88 })
    .toBuffer()
}

const JPEG_APP2 = 0xe2

/**
 * Puts sRGB into a JPEG, named as in the files of cameras: manufacturer `IEC `, model `sRGB`. libvips' own sRGB has
 * another name, and the same curves and primaries.
 */
async function withSrgbProfile(jpeg: Buffer): Promise<Buffer> {
  const own = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#808080' } })
    .withIccProfile('srgb')
    .jpeg()
    .toBuffer()
  const { icc } = await sharp(own).metadata()
  if (!icc) throw new Error('sharp wrote no profile')
  icc.write('IEC sRGB', 48, 'latin1')
  // ICC.1:2022 annex B.4: the first and only chunk of one.
  const content = Buffer.concat([Buffer.from('ICC_PROFILE\0\x01\x01', 'latin1'), icc])
  const marker = Buffer.from([0xff, JPEG_APP2, (content.length + 2) >> 8, (content.length + 2) & 0xff])
  return Buffer.concat([jpeg.subarray(0, 2), marker, content, jpeg.subarray(2)])
}

async function write(folder: string, name: string, bytes: Buffer, type = 'image/jpeg'): Promise<PictureFile> {
  const file = join(folder, name)
  await writeFile(file, bytes)
  return { file, type }
}

export async function smallPicture(folder: string): Promise<PictureFile> {
  return await write(folder, 'small.jpg', await picture({ width: 320, height: 240 }))
}

export interface Photographs {
  plain: PictureFile
  srgb: PictureFile
}

let photographs: Promise<Photographs> | undefined

/** 12 MP, without a profile and with that of sRGB. */
export async function photographsIn(folder: string): Promise<Photographs> {
  photographs ??= (async () => {
    const plain = await photograph()
    return {
      plain: await write(folder, 'photograph.jpg', plain),
      srgb: await write(folder, 'photograph-srgb.jpg', await withSrgbProfile(plain)),
    }
  })()
  return await photographs
}

/** One of every kind that is accepted, large and small. */
export async function mixedPictures(folder: string): Promise<PictureFile[]> {
  const { plain, srgb } = await photographsIn(folder)
  const made = await Promise.all([
    smallPicture(folder),
    write(folder, 'turned.jpg', await picture({ width: 2400, height: 1800, orientation: 6 })),
    write(folder, 'p3.jpg', await picture({ width: 3000, height: 2000, profile: 'p3' })),
    write(folder, 'cmyk.jpg', await picture({ cmyk: true })),
    write(folder, 'alpha.png', await picture({ width: 2048, height: 1536, format: 'png', alpha: true }), 'image/png'),
    write(folder, 'deep.png', await picture({ format: 'png', sixteenBit: true }), 'image/png'),
    write(folder, 'large.webp', await picture({ width: 2400, height: 1600, format: 'webp' }), 'image/webp'),
    write(folder, 'moving.gif', await animation(12, 'gif', 400, 300), 'image/gif'),
    write(folder, 'small.avif', await picture({ width: 640, height: 480, format: 'avif' }), 'image/avif'),
  ])
  return [plain, srgb, ...made]
}
