import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesystemBlobs } from '../../runtime/drivers/blobs/filesystem.ts'
import { describeBlobStore } from './blobs.ts'

describeBlobStore('filesystem', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'revela-blobs-'))
  return {
    blobs: filesystemBlobs({ inputPath: join(folder, 'input'), outputPath: join(folder, 'output') }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
})
