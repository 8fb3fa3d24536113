/** Functions of a folder as one bundle for Lambda, of which FUNCTIONS says what is served. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
/** Within the project: what is not bundled is found from there. */
const CACHE = join(PROJECT, '.cache')

function entryOf(functions: string, names: readonly string[]): string {
  const imports = names.map((name) => {
    const from = join(functions, name)
    return `${JSON.stringify(name)}: () => Promise.all([import('${from}/config.ts'), import('${from}/index.ts')]),`
  })
  return `
import { readConfig } from '${PROJECT}/runtime/config.ts'
import { openAwsLambda } from '${PROJECT}/stacks/aws-lambda.ts'
import { awsLambda } from '${PROJECT}/runtime/targets/aws-lambda/handler.ts'
const found = {
${imports.join('\n')}
}
const config = readConfig()
const functions = await Promise.all(
  (config.FUNCTIONS ?? Object.keys(found)).map(async (name) => {
    const [own, app] = await found[name]()
    return { name, config: own.default, app: app.default }
  }),
)
export const { handler, stream } = await awsLambda({ functions, config, openStack: openAwsLambda })
`
}

export interface LambdaBundle extends AsyncDisposable {
  /** It holds index.mjs and its chunks. */
  folder: string
}

/** All functions of this project, or those of these names in another folder. */
export async function lambdaBundle(functions = join(PROJECT, 'functions'), names?: string[]): Promise<LambdaBundle> {
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(join(CACHE, 'lambda-'))
  const entry = join(folder, 'entry.mjs')
  await writeFile(entry, entryOf(functions, names ?? (await readdir(functions))))
  // sharp has native parts; what MongoDB's driver can use if it is there, is not there.
  const bundle = await rolldown({ input: { index: entry }, platform: 'node', external: ['sharp'], logLevel: 'silent' })
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' })
  await bundle.close()
  await rm(entry)
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
