/** Whether the cloud clients are installed, and which files nothing can be said of where they are not. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Also by import() alone, or by the global that Lambda's types declare.
const CLIENT = /'(@aws-sdk|@azure|@google-cloud|google-auth-library|aws-lambda)\b|\bawslambda\b/

export const installed = existsSync(
  fileURLToPath(new URL('../../runtime/node_modules/@azure/functions', import.meta.url)),
)

export function importsClient(file) {
  return CLIENT.test(readFileSync(file, 'utf8'))
}

/** Type-aware rules see `any` in what imports such a file, too: all that lies beside it is left out with it. */
export function filesOfClients() {
  const files = globSync('{runtime,stacks,build,test}/**/*.ts', { exclude: ['**/node_modules/**'] })
  const importers = files.filter(importsClient)
  const folders = new Set(importers.map((file) => /^runtime\/targets\/[^/]+\//.exec(file)?.[0]).filter(Boolean))
  return [...importers, ...[...folders].map((folder) => `${folder}**`)]
}
