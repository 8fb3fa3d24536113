/** `.ci/run` leaves nothing behind: what it began beside the checks is over before it is. */
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { program, PROJECT } from '../project/command.ts'

let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'revela-ci-'))))
afterEach(async () => await rm(folder, { recursive: true }))

async function script(path: string, body: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), `#!/usr/bin/env bash\n${body}\n`)
  await chmod(join(folder, path), 0o755)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

// Needs what CI has: coreutils' timeout.
test.skipIf(process.platform !== 'linux')(
  'a server that is still being built is not started after the end',
  async () => {
    await mkdir(join(folder, 'project/.ci'), { recursive: true })
    await copyFile(join(PROJECT, '.ci/run'), join(folder, 'project/.ci/run'))
    // A build says by a pipe that it has begun; `npm ci` waits for that, and fails. The build ends when it is let, or killed.
    const [began, end, log] = ['began', 'end', 'log'].map((name) => join(folder, name)) as [string, string, string]
    await using made = program('mkfifo', [began, end], { cwd: folder })
    expect(await made.ended).toBe(0)
    await script(
      'shared/lab/services',
      `case "$*" in
      'up s3') echo $$ >'${began}'; read -r _ <'${end}'; echo 'started s3' >>'${log}';;
      down*) echo "$*" >>'${log}';;
    esac`,
    )
    await script('bin/npm', `read -r pid <'${began}'; echo "$pid" >pid; exit 1`)

    // Into a file: a pipe would be open for as long as what is left behind.
    const options = { cwd: folder, env: { PATH: `${join(folder, 'bin')}:${process.env.PATH}` } }
    await using ran = program('bash', ['-c', 'bash project/.ci/run >out 2>&1'], options)
    expect(await ran.ended).toBe(1)
    const [pid, out] = await Promise.all(
      ['project/pid', 'out'].map(async (name) => await readFile(join(folder, name), 'utf8')),
    )
    const outlived = isAlive(Number(pid))
    if (outlived) process.kill(Number(pid), 'SIGKILL')
    expect(out).toMatch(/^npm ci failed\n(.*\n)*0 passed, 1 failed, 0 skipped\n$/)
    expect(outlived).toBe(false)
    expect(await readFile(log, 'utf8')).toBe('down mongo redis s3\n')
  },
)
