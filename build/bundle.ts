/** Bundles code with all that it imports: minified, with source maps, nothing left to look up but what is native. */
import { join, relative } from 'node:path'
import { rolldown, type Plugin } from 'rolldown'
import { chunksOf, type Together } from './chunks.ts'
import { PROJECT } from './project.ts'

/** Stay imports: sharp has native parts, and Azure's worker gives out a package of its own. */
const OUTSIDE = ['sharp', '@azure/functions-core']

/** What packages use where it is there. It is not, and they find that out by themselves. */
const OPTIONAL =
  /^(kerberos|@mongodb-js\/|mongodb-client-encryption|@aws-sdk\/credential-providers|gcp-metadata|snappy|socks|aws4|pino-pretty|@opentelemetry\/|@aws-sdk\/signature-v4-crt|@aws-sdk\/signature-v4a|supports-color|encoding|bufferutil|utf-8-validate)/

export interface BundleOptions {
  /** By the name of the file, without its ending: the module to begin with, or the text of one. */
  input: Record<string, { file: string } | { text: string }>
  folder: string
  /** Where what several entries share is written, below the folder. Default: beside them. */
  chunks?: string
  /** What is written as one file; default: what the same entries share. */
  together?: Together
  /** Packages that stay imports where they are not installed: what wants them fails, and nothing else does. */
  optional?: RegExp
}

export interface Bundle {
  /** Every module in it: a path within the project, of packages with their node_modules. */
  modules: string[]
  /** Those that are read at the start; the rest is read when it is wanted. */
  first: string[]
  /** Packages that it looks for when it runs. */
  outside: string[]
  /** Those of `optional` that are not installed. */
  missing: string[]
  codeBytes: number
  mapBytes: number
}

const TEXT = 'entry:'

/** Gives out the texts of entries that are no files. */
function texts(input: BundleOptions['input']): Plugin {
  return {
    name: 'entries',
    resolveId: (id) => (id.startsWith(TEXT) ? id : null),
    load(id) {
      const given = id.startsWith(TEXT) ? input[id.slice(TEXT.length)] : undefined
      return given && 'text' in given ? given.text : null
    },
  }
}

const OTHER_LANGUAGES = /\bz\.locales\b|['"]zod\/(v4\/)?locales['"]/

/**
 * zod's messages in 64 languages, of which one is spoken: two fifths of its code, read at each start. Code of ours that
 * looks for the others would find them everywhere but in a bundle: it is told, and has another way to each.
 */
const oneLanguage: Plugin = {
  name: 'one-language',
  transform(code, id) {
    if (id.includes('node_modules') || !OTHER_LANGUAGES.test(code)) return null
    throw new Error(
      `${relative(PROJECT, id)}: a bundle has zod in English alone; import 'zod/v4/locales/de.js' by itself`,
    )
  },
  load: (id) => (id.endsWith('/zod/v4/locales/index.js') ? `export { default as en } from './en.js'` : null),
}

interface Chunk {
  fileName: string
  isEntry: boolean
  imports: string[]
  dynamicImports: string[]
  moduleIds: string[]
}

/** What is imported from the entries on, without the imports that wait. */
function startOf(chunks: readonly Chunk[]): Chunk[] {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]))
  const reached = new Set(chunks.filter(({ isEntry }) => isEntry))
  for (const chunk of reached) for (const name of chunk.imports) if (byName.has(name)) reached.add(byName.get(name)!)
  return [...reached]
}

const namesIn = (chunks: readonly Chunk[]): string[] =>
  chunks.flatMap(({ moduleIds }) => moduleIds).map((id) => (id.startsWith('/') ? relative(PROJECT, id) : id))

/** Rejects for an import that leads nowhere. */
export async function bundle(options: BundleOptions): Promise<Bundle> {
  const { input, folder, chunks: shared = '', optional, together } = options
  const grouped = together && chunksOf(together)
  const missing = new Set<string>()
  const build = await rolldown({
    input: Object.fromEntries(
      Object.entries(input).map(([name, given]) => [name, 'file' in given ? given.file : TEXT + name]),
    ),
    platform: 'node',
    external: OUTSIDE,
    resolve: { alias: { '#shared': join(PROJECT, 'shared') } },
    plugins: [texts(input), oneLanguage, grouped?.plugin],
    onLog(_level, log) {
      const name = log.exporter ?? ''
      if (log.code !== 'UNRESOLVED_IMPORT' || OPTIONAL.test(name)) return
      if (!optional?.test(name)) throw new Error(log.message)
      missing.add(name)
    },
  })
  try {
    const { output } = await build.write({
      dir: folder,
      format: 'esm',
      minify: true,
      sourcemap: true,
      entryFileNames: '[name].mjs',
      chunkFileNames: join(shared, '[name]-[hash].mjs'),
      ...(grouped ? { codeSplitting: { groups: grouped.groups } } : {}),
    })
    const chunks = output.filter((each) => each.type === 'chunk')
    const files = new Set(chunks.map(({ fileName }) => fileName))
    const imported = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports])
    return {
      modules: namesIn(chunks).sort(),
      first: namesIn(startOf(chunks)).sort(),
      outside: [...new Set(imported)].filter((name) => !files.has(name) && !name.startsWith('node:')).sort(),
      missing: [...missing].sort(),
      codeBytes: chunks.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0),
      mapBytes: chunks.reduce((sum, { map }) => sum + Buffer.byteLength(map?.toString() ?? ''), 0),
    }
  } finally {
    await build.close()
  }
}
