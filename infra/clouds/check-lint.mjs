/** Lints. What needs the cloud clients' types is left out where they are not installed, and it says so. */
import { spawnSync } from 'node:child_process'
import { filesOfClients, installed } from './clients.mjs'

if (!installed) console.log('Cloud clients are not installed (npm run clouds): files that import one are not linted.')
const left = installed ? [] : filesOfClients().flatMap((file) => ['--ignore-pattern', file])
const { status } = spawnSync('oxlint', ['--type-aware', '--deny-warnings', ...left], { stdio: 'inherit' })
process.exitCode = status ?? 1
