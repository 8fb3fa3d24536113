/** The scripts of infra/ beside a `docker` that is a few lines: what they do with files and exit codes is theirs. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program, PROJECT } from '../project/command.ts'

export interface Workshop extends AsyncDisposable {
  /** The project's folder, as a script sees it: infra/ and storage/. */
  folder: string
  /** `docker` becomes this bash; its arguments are noted first. */
  docker(body: string): Promise<void>
  /** What docker was asked for, one line each. */
  asked(): Promise<string[]>
  run(script: string, args?: readonly string[]): Promise<{ status: number | NodeJS.Signals; out: string; err: string }>
  write(path: string, text: string | Uint8Array): Promise<void>
  read(path: string): Promise<string>
  list(path: string): Promise<string[]>
}

export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-scripts-'))
  const bin = join(folder, 'bin')
  const log = join(folder, 'docker.log')
  await mkdir(bin)
  await mkdir(join(folder, 'infra'))
  for (const name of ['backup.sh', 'restore.sh', 'rollout.sh', 'stores.sh']) {
    // Linked: a script finds the project by the folder that it is called in.
    await symlink(join(PROJECT, 'infra', name), join(folder, 'infra', name))
  }
  await writeFile(log, '')
  const workshop: Workshop = {
    folder,
    async docker(body) {
      const file = join(bin, 'docker')
      await writeFile(file, `#!/usr/bin/env bash\nprintf '%s\\n' "\${*//$'\\n'/ }" >>'${log}'\n${body}\n`)
      await chmod(file, 0o755)
    },
    asked: async () => (await readFile(log, 'utf8')).split('\n').filter((line) => line !== ''),
    async run(script, args = []) {
      const options = { cwd: folder, env: { PATH: `${bin}:${process.env.PATH}` } }
      await using ran = program('bash', [join(folder, 'infra', script), ...args], options)
      return { status: await ran.ended, out: ran.stdout(), err: ran.stderr() }
    },
    async write(path, text) {
      const file = join(folder, path)
      await mkdir(join(file, '..'), { recursive: true })
      await writeFile(file, text)
    },
    read: async (path) => await readFile(join(folder, path), 'utf8'),
    list: async (path) => (await readdir(join(folder, path))).sort(),
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  }
  return workshop
}
