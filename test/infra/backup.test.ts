/** Backup and restore around a stand-in for mongodump: archives, checks and exit codes. */
import { randomBytes } from 'node:crypto'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { program } from '../project/command.ts'
import { openWorkshop, type Workshop } from './scripts.ts'

const PICTURE = 'storage/images/output/0199aaaa/800x800.jpg'
const DUMP = `case "$*" in *mongodump*) echo 'the tasks' | gzip;; *mongorestore*) gzip -dc >restored;; *FLUSHALL*) echo OK;; esac`

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await shop.docker(DUMP)
  await shop.write(PICTURE, randomBytes(100_000))
})
afterEach(async () => await shop[Symbol.asyncDispose]())

async function backup(): Promise<string> {
  const { status, out, err } = await shop.run('backup.sh')
  expect([status, err]).toEqual([0, ''])
  return out.trim()
}

describe('backup.sh', () => {
  test('writes database, pictures and checksums, and tells where', async () => {
    const path = await backup()
    expect(path).toMatch(/^backups\/revela-\d{8}T\d{6}Z$/)
    expect(await shop.list(path)).toEqual(['SHA256SUMS', 'mongodb.archive.gz', 'storage.tar'])
    const [asked] = await shop.asked()
    expect(asked).toMatch(/^compose exec -T mongodb sh -c exec mongodump /)
    // Of the container's environment, and not of this command line.
    expect(asked).toContain('--password "$MONGO_INITDB_ROOT_PASSWORD"')
  })

  test('takes no file that is still being written', async () => {
    await shop.write('storage/images/output/0199aaaa/.tmp-1', 'half')
    const path = await backup()
    await using listed = program('tar', ['-tf', join(shop.folder, path, 'storage.tar')], { cwd: shop.folder })
    expect(await listed.ended).toBe(0)
    expect(
      listed
        .stdout()
        .split('\n')
        .filter((name) => name.includes('0199aaaa/')),
    ).toEqual(['./images/output/0199aaaa/', './images/output/0199aaaa/800x800.jpg'])
  })

  test.each([
    ['mongodump fails', 'echo lost the server >&2; exit 1', /mongodump failed/],
    ['mongodump writes nothing', 'exit 0', /no whole archive/],
    ['mongodump is cut short', 'head -c 100000 /dev/urandom | gzip | head -c 50000', /no whole archive/],
  ])('%s: fails, says so, and leaves nothing that looks like a backup', async (_what, body, reason) => {
    await shop.docker(body)
    const { status, out, err } = await shop.run('backup.sh')
    expect([status, out]).toEqual([1, ''])
    expect(err).toMatch(reason)
    expect(await shop.list('backups')).toEqual([])
  })

  test('goes where it is told to', async () => {
    const { status, out } = await shop.run('backup.sh', ['elsewhere'])
    expect([status, await shop.list('elsewhere')]).toEqual([0, [out.trim().replace('elsewhere/', '')]])
  })

  test('without storage: fails before anything is asked for', async () => {
    await using other = await openWorkshop()
    await other.docker(DUMP)
    expect(await other.run('backup.sh')).toMatchObject({ status: 1, err: expect.stringMatching(/no folder storage/) })
    expect(await other.asked()).toEqual([])
  })
})

describe('restore.sh', () => {
  test('puts back database and pictures while the applications are stopped, and forgets what Redis remembers', async () => {
    const path = await backup()
    const before = await shop.read(PICTURE)
    await shop.write(PICTURE, 'damaged')
    await shop.write('storage/images/output/0199bbbb/800x800.jpg', 'made since')
    const { status, err } = await shop.run('restore.sh', [path])
    expect([status, err]).toEqual([0, ''])
    expect(await shop.read('restored')).toBe('the tasks\n')
    expect(await shop.read(PICTURE)).toBe(before)
    expect(await shop.read('storage/images/output/0199bbbb/800x800.jpg')).toBe('made since')
    const asked = (await shop.asked()).slice(1)
    const steps = ['stop api-backend worker', 'mongorestore', 'FLUSHALL', 'start api-backend worker']
    expect(asked.map((line) => steps.findIndex((step) => line.includes(step)))).toEqual([0, 1, 2, 3])
  })

  test.each([
    ['a damaged archive', async (path: string) => await shop.write(join(path, 'storage.tar'), 'x'), /damaged/],
    [
      'an archive cut short',
      async (path: string) => await truncate(join(shop.folder, path, 'mongodb.archive.gz'), 5),
      /damaged/,
    ],
    [
      'checksums of one file only',
      async (path: string) => {
        const [first] = (await shop.read(join(path, 'SHA256SUMS'))).split('\n')
        await shop.write(join(path, 'SHA256SUMS'), `${first}\n`)
      },
      /no whole backup/,
    ],
    ['no checksums', async (path: string) => await shop.write(join(path, 'SHA256SUMS'), ''), /no whole backup|damaged/],
  ])('%s: fails before anything is touched', async (_what, spoil, reason) => {
    const path = await backup()
    await spoil(path)
    const { status, err } = await shop.run('restore.sh', [path])
    expect(status).toBe(1)
    expect(err).toMatch(reason)
    expect((await shop.asked()).length).toBe(1)
  })

  test('when mongorestore fails the applications stay stopped', async () => {
    const path = await backup()
    await shop.docker(DUMP.replace('gzip -dc >restored', 'exit 1'))
    const { status, err } = await shop.run('restore.sh', [path])
    expect(status).toBe(1)
    expect(err).toMatch(/mongorestore failed/)
    expect((await shop.asked()).filter((line) => line.startsWith('compose start'))).toEqual([])
  })

  test('a Redis that is not emptied is told of', async () => {
    const path = await backup()
    await shop.docker(DUMP.replace('echo OK', 'echo NOAUTH'))
    const { status, err } = await shop.run('restore.sh', [path])
    expect([status, /Redis could not be emptied/.test(err)]).toEqual([1, true])
  })

  test.each([[[]], [['no-such-folder']]])('%j: fails', async (args) => {
    expect((await shop.run('restore.sh', args)).status).toBe(1)
    expect(await shop.asked()).toEqual([])
  })
})

describe('rollout.sh', () => {
  test('a new one is healthy before each old one ends', async () => {
    await shop.docker(`case "$*" in *' ps '*) printf 'old-1\\nold-2\\n';; esac`)
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(0)
    const up = 'compose up --detach --wait --no-deps --no-build --no-recreate --scale worker=3 worker'
    const gone = (name: string): string[] => [up, `stop ${name}`, `rm ${name}`]
    expect((await shop.asked()).slice(1)).toEqual([...gone('old-1'), ...gone('old-2')])
  })

  test.each([
    ['the new one does not become healthy', `case "$*" in *' ps '*) echo old-1;; *' up '*) exit 1;; esac`],
    ['nothing runs', ''],
  ])('%s: nothing is stopped', async (_what, body) => {
    await shop.docker(body)
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(1)
    expect((await shop.asked()).filter((line) => line.startsWith('stop'))).toEqual([])
  })
})
