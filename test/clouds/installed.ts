/** Whether `npm run clouds` put the clients in reach: suites of what imports one are skipped by name where it did not. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const hasClients = existsSync(fileURLToPath(new URL('../../runtime/node_modules/@azure', import.meta.url)))
