/** Two plain sharp pipelines for each picture, as anyone would write them, and nothing around them. */
import sharp from 'sharp'
import { answerMessages } from './answer.ts'

export interface Rendering {
  file: string
  pictures: number
}

// As in a container: threads of its own would make each pipeline dearer, and a cache would skip the second decode's read.
sharp.concurrency(1)
sharp.cache(false)

async function pipeline(file: string, side: number): Promise<number> {
  const image = sharp(file).autoOrient().resize(side, side, { fit: 'inside', withoutEnlargement: true })
  const { length } = await image.jpeg({ quality: 80 }).toBuffer()
  return length
}

answerMessages(async ({ file, pictures }: Rendering): Promise<{ wallMs: number }> => {
  const startedAt = performance.now()
  for (let made = 0; made < pictures; made++) {
    await pipeline(file, 1024)
    await pipeline(file, 800)
  }
  return { wallMs: performance.now() - startedAt }
})
