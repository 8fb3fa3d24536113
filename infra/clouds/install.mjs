/**
 * Installs the cloud clients below infra/clouds, and puts them in reach of runtime/ alone. `--s3` installs no more than
 * what an S3 store needs. They are apart so that nobody who runs on one machine downloads them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const link = fileURLToPath(new URL('../../runtime/node_modules', import.meta.url))
const less = process.argv.includes('--s3') ? ['--omit=dev', '--omit=optional'] : []

const { status } = spawnSync('npm', ['ci', ...less], { cwd: here, stdio: 'inherit' })
if (status === 0 && !existsSync(link)) symlinkSync('../infra/clouds/node_modules', link, 'dir')
process.exitCode = status ?? 1
