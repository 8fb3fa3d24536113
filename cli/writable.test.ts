import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { program, PROJECT } from '../test/project/command.ts'

const AS_NOBODY = fileURLToPath(new URL('../test/infra/as-nobody.ts', import.meta.url))

let folder: string
beforeEach(async () => {
  // Not below TMPDIR: that may be in a folder of root's, where another user sees nothing.
  folder = await mkdtemp('/tmp/revela-writable-')
  await chmod(folder, 0o777)
})
afterEach(async () => await rm(folder, { recursive: true }))

async function told(...stack: string[]): Promise<string> {
  await using start = program(process.execPath, [AS_NOBODY, folder, ...stack], { cwd: PROJECT })
  expect([await start.ended, start.stderr()]).toEqual([0, ''])
  return start.stdout().trim()
}

describe('a start on storage', () => {
  it('says nothing of folders that can be written to, or made', async () => {
    expect(await told()).toBe('writable')
    await mkdir(join(folder, 'images'), { mode: 0o755 })
    await chmod(join(folder, 'images'), 0o777)
    expect(await told()).toBe('writable')
  })

  it('names the owner, the variables and who we are', async () => {
    await chmod(folder, 0o555)
    const { uid, gid } = await stat(folder)
    const ours = uid === process.getuid!() && uid !== 0 ? 'US' : `${uid}:${gid}`
    expect(await told()).toContain(
      `STORAGE_INPUT_PATH, STORAGE_OUTPUT_PATH, SQLITE_FILE: ${folder} belongs to ${ours} with mode 555, and this process runs as US.`,
    )
    expect(await told()).toContain('chown -R US')
  })

  it('looks at what will be written alone', async () => {
    await chmod(folder, 0o555)
    const servers = 'MONGODB_URI=mongodb://localhost/x'
    expect(await told(servers)).not.toContain('SQLITE_FILE')
    expect(await told('S3_BUCKET=pictures')).toMatch(/^Storage cannot be written to\.\nSQLITE_FILE: /)
    expect(await told(servers, 'S3_BUCKET=pictures')).toBe('writable')
  })
})
