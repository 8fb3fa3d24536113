/** Functions as a bundle's entry imports them. FUNCTIONS_FOLDER: where they lie, this project's own by default. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { FunctionConfig } from '#shared/function.ts'
import type { BundledFunction } from '../../../runtime/targets/cloud/functions.ts'

const FOLDER = process.env['FUNCTIONS_FOLDER'] ?? fileURLToPath(new URL('../../../functions', import.meta.url))

async function defaultOf(name: string, file: string): Promise<unknown> {
  return ((await import(pathToFileURL(join(FOLDER, name, file)).href)) as { default: unknown }).default
}

export async function bundle(names: readonly string[] = readdirSync(FOLDER)): Promise<BundledFunction[]> {
  return await Promise.all(
    names.map(async (name) => ({
      name,
      config: (await defaultOf(name, 'config.ts')) as FunctionConfig,
      app: await defaultOf(name, 'index.ts'),
    })),
  )
}
