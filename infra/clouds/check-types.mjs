/** Checks types. Files that import a cloud client are left out where the clients are not installed, and it says so. */
import { spawnSync } from 'node:child_process'
import { importsClient, installed } from './clients.mjs'

function check() {
  if (installed) return spawnSync('tsc', { stdio: 'inherit' }).status ?? 1
  console.log('Cloud clients are not installed (npm run clouds): files that import one are not checked.')
  const { stdout, status } = spawnSync('tsc', ['--pretty', 'false'], { encoding: 'utf8' })
  if (status === null) return 1
  // A diagnostic begins at the margin, with its file; its further lines are indented.
  const diagnostics = stdout.split(/\n(?! )/).filter((text) => text !== '')
  const left = diagnostics.filter((text) => {
    const [, file] = /^(.+?)\(\d+,\d+\): /.exec(text) ?? []
    return !file || !importsClient(file)
  })
  left.forEach((text) => console.error(text))
  return left.length > 0 ? 1 : 0
}

process.exitCode = check()
