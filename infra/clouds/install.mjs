/**
 * Installs the cloud clients below infra/clouds, and puts them in reach of runtime/ alone. `--s3` installs no more than
 * what an S3 store needs. They are apart so that nobody who runs on one machine downloads them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const reach = fileURLToPath(new URL('../../runtime/node_modules', import.meta.url))
const less = process.argv.includes('--s3') ? ['--omit=dev', '--omit=optional'] : []

/** One by one: with the folder as a whole, what the clients depend on would stand before the runtime's own packages. */
function link() {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync(join(here, 'package.json'), 'utf8'),
  )
  rmSync(reach, { recursive: true, force: true })
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies })) {
    const target = join(here, 'node_modules', name)
    if (!existsSync(target)) continue
    const from = dirname(join(reach, name))
    mkdirSync(from, { recursive: true })
    symlinkSync(relative(from, target), join(reach, name), 'dir')
  }
}

const { status } = spawnSync('npm', ['ci', ...less], { cwd: here, stdio: 'inherit' })
if (status === 0) link()
process.exitCode = status ?? 1
