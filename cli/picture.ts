/** The demo's picture: 12 megapixels, made here, so that nothing has to be downloaded or stored. */
import sharp from 'sharp'

export const WIDTH = 4000
export const HEIGHT = 3000

/** A sky over hills, with grain: it compresses like a photograph, not like a drawing. */
export async function makePicture(): Promise<Buffer> {
  const hill = (seed: number, base: number, colour: string): string => {
    const points = Array.from({ length: 41 }, (_, i) => {
      const y = base + Math.sin(i / 3 + seed) * 160 + Math.sin(i / 1.3 + seed * 2) * 60
      return `${i * 100},${Math.round(y)}`
    })
    return `<polygon points="0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}" fill="${colour}"/>`
  }
  const scene = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
    <defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#2b4a7a"/><stop offset="0.6" stop-color="#f0a878"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#sky)"/><circle cx="2700" cy="1300" r="240" fill="#ffe9b8"/>
    ${hill(0, 1750, '#5d6b8a')}${hill(2, 2050, '#3f5560')}${hill(5, 2400, '#22352f')}</svg>`
  const grain = await sharp({
    create: {
      width: WIDTH,
      height: HEIGHT,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 12 },
    },
  })
    .png({ compressionLevel: 0 })
    .toBuffer()
  return await sharp(Buffer.from(scene))
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 88 })
    .toBuffer()
}
