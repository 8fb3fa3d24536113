/** The product's own files, its tests apart. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { PROJECT } from './command.ts'
import { PRODUCT } from './folders.ts'

export interface ProductFile {
  /** From the project's folder. */
  path: string
  text: string
}

export async function productFiles(): Promise<ProductFile[]> {
  const folders = await Promise.all(
    PRODUCT.map(async (name) => await readdir(join(PROJECT, name), { recursive: true, withFileTypes: true })),
  )
  const files = folders.flat().filter(({ name }) => /(?<!\.test|\.fixture)\.(ts|mjs)$/.test(name))
  return await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name)
      return { path: relative(PROJECT, path), text: await readFile(path, 'utf8') }
    }),
  )
}
