/** The packages that a bundle takes along as they are: sharp with its native parts, and the pages of the documentation. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { PROJECT } from './project.ts'

/** What clouds have. */
export const ARCHITECTURES = ['x64', 'arm64'] as const
export type Architecture = (typeof ARCHITECTURES)[number]

const INSTALLED = join(PROJECT, 'node_modules')

async function packageOf(name: string, folder: string): Promise<{ version: string; files?: string[] }> {
  return JSON.parse(await readFile(join(folder, name, 'package.json'), 'utf8')) as { version: string }
}

/** Where sharp is installed with the native parts of that machine; what this one has not is fetched by npm. */
async function withSharp(native: string, architecture: Architecture, use: (from: string) => Promise<void>) {
  if (existsSync(join(INSTALLED, '@img', native))) return await use(INSTALLED)
  const { version } = await packageOf('sharp', INSTALLED)
  const folder = await mkdtemp(join(tmpdir(), 'revela-sharp-'))
  try {
    const machine = ['--os=linux', `--cpu=${architecture}`, '--libc=glibc']
    await promisify(execFile)('npm', ['install', '--prefix', folder, '--no-audit', ...machine, `sharp@${version}`])
    await use(join(folder, 'node_modules'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Without sources, types and what builds it anew. */
const isRun = (path: string): boolean => !/\.(d\.[cm]?ts|md|map)$|\/(src|install|test)$/.test(path)

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await cp(await realpath(from), to, { recursive: true, filter: isRun })
}

/** The packages that sharp's own code needs lie within it: beside it is nothing but what is native. */
export async function copySharp(folder: string, architecture: Architecture): Promise<void> {
  const native = `sharp-linux-${architecture}`
  await withSharp(native, architecture, async (from) => {
    const to = join(folder, 'node_modules')
    for (const name of ['sharp', '@img/colour', `@img/${native}`, `@img/sharp-libvips-linux-${architecture}`]) {
      await copy(join(from, name), join(to, name))
    }
    for (const name of ['detect-libc', 'semver']) {
      const found = createRequire(join(from, 'sharp/package.json')).resolve(`${name}/package.json`)
      await copy(dirname(found), join(to, 'sharp/node_modules', name))
    }
  })
}

const PAGES = ['package.json', 'swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png', 'LICENSE']

export async function copyPages(folder: string): Promise<void> {
  for (const file of PAGES) {
    const path = join('node_modules/swagger-ui-dist', file)
    await copy(join(PROJECT, path), join(folder, path))
  }
}
