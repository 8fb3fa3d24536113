/** `npm run new`: what it writes passes the checks as it is, and is served; what it cannot write it refuses. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { writeFunction } from '../../cli/new.ts'
import { sqliteQueue } from '../../runtime/drivers/queue/sqlite.ts'
import { openSqlite } from '../../runtime/drivers/sqlite/file.ts'
import { until } from '../runtime/until.ts'
import { command, program, PROJECT, storageIn } from './command.ts'
import { PRODUCT } from './folders.ts'

const LONG_MS = 240_000
const LEFT_OUT = new Set(['node_modules', '.git', 'storage', 'coverage', '.cache', '.env'])
const MADE = {
  'resize-avatar': ['--queue', 'thumbnails'],
  'crop-avatar': ['--queue', 'crops', '--process'],
  'get-avatar': ['--http', 'GET /avatars/{avatarId}'],
  'move-avatar': [
    '--http',
    'POST /organisations/{organisationId}/departments/{departmentId}/people/{personId}/avatars',
  ],
  'list-people': ['--http', 'GET /people'],
  'count-tasks': ['--every', '60'],
  'look-often': ['--every', '0.25', '--process'],
}
const NAMES = Object.keys(MADE)
const FOLDERS = NAMES.map((name) => `functions/${name}`)

let home: string
let project: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'revela-new-'))
  project = join(home, 'project')
  await mkdir(project)
  const entries = (await readdir(PROJECT)).filter((name) => !LEFT_OUT.has(name))
  for (const name of entries) await cp(join(PROJECT, name), join(project, name), { recursive: true })
  await symlink(join(PROJECT, 'node_modules'), join(project, 'node_modules'))
}, LONG_MS)
afterAll(() => rm(home, { recursive: true, force: true }))

/** Runs one of the project's own tools in the copy; gives the lines that name what was written. */
async function complaints(name: string, ...args: string[]): Promise<string[]> {
  await using run = program(join(project, 'node_modules/.bin', name), args, { cwd: project, env: { NO_COLOR: '1' } })
  const status = await run.ended
  if (status === 0) return []
  const text = `${run.stdout()}\n${run.stderr()}`
  // Another file of a tree that is being worked in may be at fault, and is named then. Else the tool did not run.
  if (!new RegExp(`^(${PRODUCT.join('|')}|test)/`, 'm').test(text))
    throw new Error(`${name} ended with ${status}\n${text}`)
  return text.split('\n').filter((line) => FOLDERS.some((folder) => line.includes(folder)))
}

async function runNew(args: string[]): Promise<{ status: unknown; told: string }> {
  await using run = command(['new', ...args], { cwd: home, project })
  return { status: await run.ended, told: run.stderr() }
}

describe('what it writes', { timeout: LONG_MS }, () => {
  const told: unknown[] = []
  beforeAll(async () => {
    for (const [name, args] of Object.entries(MADE)) told.push(await runNew([name, ...args]))
  }, LONG_MS)

  test('is named, file by file', () => {
    const files = (name: string): string[] =>
      ['config.ts', 'index.ts', 'index.test.ts'].map((file) => `${name}/${file}`)
    const lines = FOLDERS.map((folder) =>
      files(folder)
        .map((file) => `wrote ${file}\n`)
        .join(''),
    )
    expect(told).toEqual(lines.map((wrote) => ({ status: 0, told: `${wrote}\`npm run dev\` serves it.\n` })))
  })

  test('has right types', async () => expect(await complaints('tsc')).toEqual([]))

  test('is clean to the linter', async () => {
    expect(await complaints('oxlint', '--type-aware', '--deny-warnings', '--format=unix', ...FOLDERS)).toEqual([])
  })

  test('is in format', async () => expect(await complaints('oxfmt', '--check', ...FOLDERS)).toEqual([]))

  test('has no dead code', async () => expect(await complaints('knip')).toEqual([]))

  test('passes its own tests', async () => {
    const report = join(home, 'report.json')
    const output = ['--reporter=json', `--outputFile=${report}`]
    expect(await complaints('vitest', 'run', '--cache=false', ...output, ...FOLDERS)).toEqual([])
    const { testResults } = JSON.parse(await readFile(report, 'utf8')) as {
      testResults: { name: string; status: string }[]
    }
    const passed = testResults.filter(({ status }) => status === 'passed').map(({ name }) => name.split('/').at(-2))
    expect(new Set(passed)).toEqual(new Set(NAMES))
  })

  test('is served: in the table, by its route, its queue and its clock', async () => {
    const storage = storageIn(home)
    await using start = command(['start'], { cwd: home, project, env: { ...storage, LOG_LEVEL: 'info' } })
    const [, url] = await start.tells(/^Health +(http:\S+)\/readyz$/m)
    expect(start.stderr()).toMatch(/^resize-avatar +queue +thumbnails +inline, not killable +30 s +2$/m)
    expect(start.stderr()).toMatch(/^crop-avatar +queue +crops +process +30 s +\d$/m)
    expect(start.stderr()).toMatch(/^get-avatar +http +GET \/avatars\/\{avatarId\} +inline/m)
    expect(start.stderr()).toMatch(/^look-often +timer +every 0\.25 s +process/m)
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({
      status: 'ready',
      functions: (await readdir(join(project, 'functions'))).length,
      broken: [],
    })

    const answer = await fetch(`${url}/avatars/42`)
    expect([answer.status, await answer.json()]).toEqual([200, { params: { avatarId: '42' } }])
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, unknown> }
    expect(document.paths['/avatars/{avatarId}']).toMatchObject({ get: { operationId: 'getAvatar' } })

    const file = openSqlite(storage.SQLITE_FILE)
    const queue = sqliteQueue({ file })
    for (const [name, to] of [
      ['resize-avatar', 'thumbnails'],
      ['crop-avatar', 'crops'],
    ] as const) {
      const about = { type: 'avatar.wanted', subject: newTaskId(), time: new Date().toISOString(), data: {} }
      await queue.send({ queue: to, id: `${name}.1`, ...about })
      await start.tells(new RegExp(`"function":"${name}".*"status":204`))
      await until(`${to} has nothing left`, async () => {
        const { waiting, active, delayed, dead } = await queue.stats(to)
        return waiting + active + delayed + dead === 0
      })
    }
    await queue.close()
    file.close()
    await start.tells(/"function":"look-often".*"status":204/)
    start.signal('SIGTERM')
    expect(await start.ended).toBe(0)
  })
})

describe('what it refuses', () => {
  const refused: [args: string[], fault: RegExp][] = [
    [[], /^Expected one name, got 0\./],
    [['one', 'two', '--queue', 'q'], /^Expected one name, got 2\./],
    [['Resize', '--queue', 'q'], /^Expected a name of a-z, 0-9 and single dashes.*got "Resize"\./],
    [['../escape', '--queue', 'q'], /got "\.\.\/escape"\./],
    [['a--b', '--queue', 'q'], /got "a--b"\./],
    [['x'.repeat(61), '--queue', 'q'], /at most 60/],
    [['new-one'], /^Expected one of --queue, --http and --every, got 0\./],
    [['new-one', '--queue', 'q', '--http', 'GET /a'], /got 2\./],
    [['new-one', '--quue', 'q'], /^Unknown option '--quue'/],
    [['new-one', '--queue'], /^Option '--queue <value>' argument missing/],
    [['new-one', '--queue', ''], /^--queue: expected a name of a-z, 0-9 and dashes, got ""\./],
    [['new-one', '--queue', 'Q'], /got "Q"\./],
    [['new-one', '--http', '/a'], /^--http: expected .*"GET \/avatars\/\{avatarId\}", got "\/a"\./],
    [['new-one', '--http', 'get /a'], /^--http: /],
    [['new-one', '--http', 'GET /a b'], /^--http: /],
    [['new-one', '--http', 'GET /a/{b-c}'], /^--http: /],
    [['new-one', '--http', 'GET /a/:b'], /^--http: /],
    [['new-one', '--http', "GET /it's"], /^--http: /],
    [['new-one', '--http', 'GET /{a}/{a}'], /^--http: /],
    [['new-one', '--http', `GET /${'a'.repeat(100)}`], /^--http: expected at most 100/],
    [['new-one', '--every', 'hour'], /^--every: expected seconds, 0\.1 or more, got "hour"\./],
    [['new-one', '--every', '0.09'], /^--every: /],
    [['new-one', '--every', '1e3'], /^--every: /],
    [['new-one', '--every', '9'.repeat(20)], /^--every: /],
    [['get-task', '--queue', 'q'], /^functions\/get-task exists already\./],
    [['new-one', '--queue', 'image-processing'], /^functions\/process-image has this queue already\./],
    [['new-one', '--http', 'GET /tasks/{id}'], /^functions\/get-task has this route already\./],
  ]

  test.each(refused)('%j', async (args, fault) => {
    const folder = join(project, 'functions')
    const present = async (): Promise<string[]> => [
      ...(await readdir(folder, { recursive: true })),
      ...(await readdir(project)),
    ]
    const before = await present()
    await expect(writeFunction(args, folder)).rejects.toThrow(fault)
    expect(await present()).toEqual(before)
  })

  test('is told with what it expects, and ends with 1', { timeout: LONG_MS }, async () => {
    const { status, told } = await runNew(['new-one', '--queue', 'Q'])
    expect(status).toBe(1)
    expect(told).toMatch(
      /^--queue: expected .*got "Q"\.\n\nUsage:\n {2}npm run new -- resize-avatar --queue thumbnails\n/,
    )
    expect(told).not.toMatch(/^ {4}at /m)
    expect(await readdir(join(project, 'functions'))).not.toContain('new-one')
  })
})
