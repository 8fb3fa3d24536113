/** Backup and restore around a stand-in for mongodump: archives, checks and exit codes. */
import { randomBytes } from 'node:crypto'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { program } from '../project/command.ts'
import { openWorkshop, type Workshop } from './scripts.ts'

const PICTURE = 'storage/images/output/0199aaaa/800x800.jpg'
const DUMP = `case "$*" in
  *config) cat config.yml;;
  *mongodump*) echo 'the tasks' | gzip;;
  *mongorestore*) gzip -dc >restored;;
  *FLUSHALL*) echo OK;;
esac`
const OWN = 'mongodb://revela:secret@mongodb:27017/imagedb?authSource=imagedb&replicaSet=rs0'

/** As `docker compose config` prints it: of other services, and what only looks like one, nothing counts. */
const configOf = (uri: string, bucket = '""'): string => `name: revela
services:
  api-backend:
    build:
      args:
        MONGODB_URI: mongodb://elsewhere/imagedb
    depends_on:
      mongodb:
        condition: service_healthy
    environment:
      API_KEY: secret-key
      MONGODB_URI: ${uri}
      S3_BUCKET: ${bucket}
      S3_ENDPOINT: ""
      SERVER_PORT: "3000"
  exporter:
    environment:
      MONGODB_URI: mongodb://elsewhere/admin
      S3_BUCKET: others
x-environment:
  api-backend:
    environment:
      MONGODB_URI: mongodb://elsewhere/imagedb
      S3_BUCKET: others
`

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await shop.write('config.yml', configOf(OWN))
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
    const [, asked] = await shop.asked()
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
    await shop.docker(`case "$*" in *config) cat config.yml;; *) ${body};; esac`)
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
    const asked = (await shop.asked()).slice(2).filter((line) => line !== 'compose config')
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
    expect((await shop.asked()).length).toBe(2)
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

describe.each(['backup.sh', 'restore.sh'])('%s reaches the stores of this stack alone', (script) => {
  /** A folder for a backup, or one with a good backup. */
  const folder = async (): Promise<string> => (script === 'backup.sh' ? 'other' : await backup())

  test.each([
    ['another server', 'mongodb+srv://revela:secret@cluster.example.net/imagedb'],
    ['another database', 'mongodb://revela:secret@mongodb:27017/photos?authSource=photos'],
    ['a set of which it is one', 'mongodb://mongodb:27017,other:27017/imagedb'],
    ['a server whose name begins as its own', 'mongodb://mongodb.example.net:27017/imagedb'],
    ['a user of its name', 'mongodb://mongodb@other/imagedb'],
    ['nothing', '""'],
  ])('MONGODB_URI names %s: fails, says so, and touches nothing', async (_what, uri) => {
    const path = await folder()
    await shop.write('config.yml', configOf(uri))
    const before = (await shop.asked()).length
    const { status, out, err } = await shop.run(script, [path])
    expect([status, out]).toEqual([1, ''])
    expect(err).toMatch(/MONGODB_URI names another database/)
    expect(err).not.toContain('secret')
    expect((await shop.asked()).slice(before)).toEqual(['compose config'])
    expect(await shop.list('.')).not.toContain('other')
  })

  test.each([
    ['quoted', `'${OWN}'`],
    ['without a user', 'mongodb://mongodb/imagedb'],
  ])('its own, %s, is its own', async (_what, uri) => {
    const path = await folder()
    await shop.write('config.yml', configOf(uri))
    expect(await shop.run(script, [path])).toMatchObject({ status: 0, err: '' })
  })

  test('what compose cannot make a configuration of is no reason to guess', async () => {
    const path = await folder()
    await shop.docker(DUMP.replace('cat config.yml', 'exit 1'))
    const { status, err } = await shop.run(script, [path])
    expect([status, /docker compose config failed/.test(err)]).toEqual([1, true])
  })

  test('pictures in a bucket: says that they are not in the backup', async () => {
    const path = await folder()
    await shop.write('config.yml', configOf(OWN, 'pictures'))
    const { status, err } = await shop.run(script, [path])
    expect(status).toBe(0)
    expect(err).toMatch(/the pictures are in the bucket pictures and not in the backup/)
  })
})
