/** Builds a target's folder: a folder for each part, whole by itself, and the manifests that deploy them. */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../runtime/host.ts'
import { CommandError } from '../cli/report.ts'
import { type Bundle, bundle } from './bundle.ts'
import type { Together } from './chunks.ts'
import { type Cloud, cloudEntry, NODE_ENTRY } from './entries.ts'
import { MANIFESTS } from './manifests.ts'
import { type Architecture, copyPages, copySharp } from './packages.ts'
import { API, chosen, functionsIn, type Part, partsOf } from './parts.ts'
import { PROJECT } from './project.ts'

export interface BuildOptions {
  target: Cloud | 'node'
  /** Of the parts, or none for all. The manifests are about all, whatever is built. */
  names?: readonly string[]
  architecture: Architecture
  /** Default: functions/ of this project. It lies within the project, whose packages it imports. */
  functionsFolder?: string
  /** Default: dist/<target>. */
  out?: string
}

export interface Built extends Bundle {
  name: string
  folder: string
  packageBytes: number
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function writeFiles(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 })
  }
}

/** Bundles into an empty folder, and names the part in what goes wrong. */
async function built(name: string, folder: string, make: () => Promise<Bundle>): Promise<Built> {
  await rm(folder, { recursive: true, force: true })
  const made = await make().catch((error: unknown) => {
    throw new CommandError(`${name}: ${messageOf(error)}`)
  })
  return { ...made, name, folder, packageBytes: await bytesBelow(join(folder, 'node_modules')) }
}

async function buildPart(cloud: Cloud, part: Part, out: string, architecture: Architecture): Promise<Built> {
  const folder = join(out, part.name)
  return await built(part.name, folder, async () => {
    const made = await bundle({ input: { index: { text: cloudEntry(cloud, part) } }, folder })
    if (made.outside.includes('sharp')) await copySharp(folder, architecture)
    if (part.name === API) await copyPages(folder)
    await writeFiles(folder, MANIFESTS[cloud].filesOf(part))
    return made
  })
}

/** The client of S3, which only some servers use: it is no reason to install the clients of clouds for the others. */
const S3_CLIENT = /^@aws-sdk\//

/** A start on the default stack, and what a container runs. */
const TOGETHER: Together = {
  start:
    /\/(cli\/serve|stacks\/(embedded|links)|drivers\/blobs\/(filesystem|marker)|drivers\/fetch\/undici|functions\/[^/]+\/config)\.ts$/,
  others: /\/(container-(entry|child)|functions\/[^/]+\/index)\.ts$/,
}

/** The same folders as here, so that what is looked for beside a file is found: functions/ and runtime/. */
async function buildNode(folder: string, functionsFolder: string, architecture: Architecture): Promise<Built> {
  const functions = await functionsIn(functionsFolder)
  const input: Parameters<typeof bundle>[0]['input'] = { start: { text: NODE_ENTRY } }
  for (const file of ['container-entry', 'container-watch']) {
    input[`runtime/${file}`] = { file: join(PROJECT, 'runtime/targets/node', `${file}.ts`) }
  }
  for (const { name, folder: own } of functions) {
    for (const file of ['config', 'index']) input[`functions/${name}/${file}`] = { file: join(own, `${file}.ts`) }
  }
  return await built('node', folder, async () => {
    const made = await bundle({ input, folder, chunks: 'runtime', optional: S3_CLIENT, together: TOGETHER })
    if (made.outside.includes('sharp')) await copySharp(folder, architecture)
    await copyPages(folder)
    await writeFiles(folder, { 'package.json': JSON.stringify({ type: 'module', private: true }) })
    return made
  })
}

export async function build(options: BuildOptions): Promise<Built[]> {
  const { target, names = [], architecture, functionsFolder = join(PROJECT, 'functions') } = options
  const { out = join(PROJECT, 'dist', target) } = options
  if (target === 'node') return [await buildNode(out, functionsFolder, architecture)]
  const functions = await functionsIn(functionsFolder)
  const parts = partsOf(functions)
  const made: Built[] = []
  // One by one: a bundler takes every core by itself.
  for (const part of chosen(parts, names)) made.push(await buildPart(target, part, out, architecture))
  await writeFiles(out, MANIFESTS[target].manifestsOf(functions, architecture))
  return made
}
