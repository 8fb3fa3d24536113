/** A functions folder of the product's own functions, some of them with a fault or another config. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FunctionConfig } from '#shared/function.ts'
import type { CrashPoint } from './crash.ts'

const OWN = new URL('../../functions/', import.meta.url)
const INSIDE = new URL('inside.ts', import.meta.url)

export interface ChangedFunction {
  /** Members that differ from its own config. */
  config?: Partial<Pick<FunctionConfig, 'timeoutMs'>> & { trigger?: object }
  /** Where the process that runs it dies. */
  points?: readonly CrashPoint[]
}

export type ChangedFunctions = Record<string, ChangedFunction>

function configText(name: string, { config = {} }: ChangedFunction): string {
  const { trigger = {}, ...rest } = config
  return `import own from ${JSON.stringify(new URL(`${name}/config.ts`, OWN).href)}
export default { ...own, ...${JSON.stringify(rest)}, trigger: { ...own.trigger, ...${JSON.stringify(trigger)} } }
`
}

function indexText(name: string, { points = [] }: ChangedFunction): string {
  return `import app from ${JSON.stringify(new URL(`${name}/index.ts`, OWN).href)}
import { withFaults } from ${JSON.stringify(INSIDE.href)}
export default withFaults(app, ${JSON.stringify(points)})
`
}

export async function writeFunctions(folder: string, changes: ChangedFunctions): Promise<void> {
  const entries = await readdir(fileURLToPath(OWN), { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const unknown = Object.keys(changes).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`there is no function ${unknown}`)
  for (const name of names) {
    const change = changes[name] ?? {}
    await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, name, 'config.ts'), configText(name, change))
    await writeFile(join(folder, name, 'index.ts'), indexText(name, change))
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
}
