/** The entry of a part: it imports its functions, its target and the one stack that the target names, all statically. */
import { join } from 'node:path'
import type { Part } from './parts.ts'
import { PROJECT } from './project.ts'

export const CLOUDS = ['aws-lambda', 'google-cloud', 'azure', 'knative'] as const
export type Cloud = (typeof CLOUDS)[number]

interface Way {
  /** In its file of stacks/. */
  stack: string
  /** The file of runtime/targets/, and what it is called with. */
  file: string
  target: string
  call: (options: string) => string
}

const WAYS: Record<Cloud, Way> = {
  'aws-lambda': {
    stack: 'openAwsLambda',
    file: 'handler.ts',
    target: 'awsLambda',
    call: (options) => `export const { handler, stream } = await awsLambda(${options})`,
  },
  'google-cloud': {
    stack: 'openGoogleCloud',
    file: 'handler.ts',
    target: 'googleCloud',
    call: (options) => `export const revela = await googleCloud(${options})`,
  },
  azure: {
    stack: 'openAzure',
    file: 'register.ts',
    target: 'registerAzure',
    call: (options) => `await registerAzure(${options})`,
  },
  knative: {
    stack: 'openKnative',
    file: 'serve.ts',
    target: 'serveKnative',
    call: (options) => `await serveKnative(${options})`,
  },
}

export function cloudEntry(cloud: Cloud, { functions }: Part): string {
  const { stack, file, target, call } = WAYS[cloud]
  const from = (path: string): string => JSON.stringify(join(PROJECT, path))
  const own = functions.map(({ name, folder }, index) => ({
    imports: `import config${index} from ${JSON.stringify(join(folder, 'config.ts'))}
import app${index} from ${JSON.stringify(join(folder, 'index.ts'))}`,
    entry: `{ name: ${JSON.stringify(name)}, config: config${index}, app: app${index} }`,
  }))
  return `import { readConfig } from ${from('runtime/config.ts')}
import { ${stack} as openStack } from ${from(`stacks/${cloud}.ts`)}
import { ${target} } from ${from(`runtime/targets/${cloud}/${file}`)}
${own.map(({ imports }) => imports).join('\n')}
const functions = [${own.map(({ entry }) => entry).join(', ')}]
${call('{ functions, config: readConfig(), openStack }')}
`
}

/** The compile cache is on before anything of size is imported. */
export const NODE_ENTRY = `import { enableCompileCache } from 'node:module'
enableCompileCache()
const { run } = await import(${JSON.stringify(join(PROJECT, 'cli/serve.ts'))})
await run()
`
