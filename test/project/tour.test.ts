/** The README's tour, taken literally: each of its commands by bash, in order, and a look at what came of it. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TaskRepresentation, TaskSchema } from '#shared/representation.ts'
import { TASK_ID } from '#shared/task.ts'
import { picture } from '../pictures.ts'
import { until } from '../runtime/until.ts'
import { embedded } from '../scenarios/embedded.ts'
import type { Running } from '../scenarios/target.ts'
import { program, PROJECT } from './command.ts'

const WHERE = 'http://127.0.0.1:3000'
const LONG_MS = 120_000

const readme = await readFile(join(PROJECT, 'README.md'), 'utf8')
const tour = /^## A tour$.*?^```sh\n(.*?)^```$/ms.exec(readme)![1]!
const commands = tour
  .replaceAll('\\\n', '')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

/** What a bare machine may lack. */
const runnable = ['bash', 'curl'].every((tool) => spawnSync(tool, ['--version']).status === 0)

const WIDTH = 1600
const HEIGHT = 1200
let folder: string
let runtime: Running
/** The tour's one variable. */
let TASK = ''
/** Ids that the tour was told, in order. */
const ids: string[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-tour-'))
  await writeFile(join(folder, 'cat.jpg'), await picture({ width: WIDTH, height: HEIGHT }))
  runtime = await embedded.start({})
}, LONG_MS)
afterAll(async () => {
  await runtime?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** What the command printed. Its shell has the variables that those before it set. */
async function run(line: string): Promise<string> {
  const script = `${line.replaceAll(WHERE, runtime.url)}\nstatus=$?; printf %s "$TASK" >.task; exit $status`
  await using shell = program('bash', ['-c', script], { cwd: folder, env: { TASK } })
  expect(await shell.ended).toBe(0)
  expect(shell.stderr()).toBe('')
  TASK = await readFile(join(folder, '.task'), 'utf8')
  return shell.stdout()
}

function taskIn(text: string): TaskRepresentation {
  const task = TaskSchema.parse(JSON.parse(text))
  ids.push(task.id)
  return task
}

function sizes({ variants }: TaskRepresentation): Record<string, string> {
  return Object.fromEntries(
    variants.map(({ name, width, height, mediaType }) => [name, `${mediaType} ${width}x${height}`]),
  )
}

async function looks(name: string): Promise<string> {
  const image = sharp(join(folder, name))
  // Metadata is read from the header alone: the pixels are decoded too.
  const { info } = await image.clone().raw().toBuffer({ resolveWithObject: true })
  const { format, compression } = await image.metadata()
  return `${compression === 'av1' ? 'avif' : format} ${info.width}x${info.height}`
}

async function statusOf(path: string): Promise<number> {
  const response = await fetch(`${runtime.url}${path}`)
  await response.body?.cancel()
  return response.status
}

/** An encoding that is made on demand is waited for two seconds, which a busy machine may need more than once. */
async function looksIn(file: string, wanted: string, line: string): Promise<void> {
  await until(
    `${file} is ${wanted}`,
    async () => (await looks(file).catch(() => '')) === wanted || (await run(line), false),
    LONG_MS / 2,
  )
}

/** One for each command, in the tour's order: what it must have printed or made. */
const outcomes: [about: RegExp, check: (out: string, line: string) => Promise<void> | void][] = [
  [
    /Prefer: wait=20.*\/tasks$/,
    (out) => {
      expect(taskIn(out)).toMatchObject({ status: 'completed', error: null, source: { filename: 'cat.jpg' } })
    },
  ],
  [
    /^TASK=/,
    async (out) => {
      expect(out).toBe('')
      expect(TASK).toMatch(TASK_ID)
      expect(ids).not.toContain(TASK)
      expect(await statusOf(`/tasks/${TASK}`)).toBe(200)
    },
  ],
  [
    /Prefer: wait=20.*\$TASK$/,
    (out) => {
      const task = taskIn(out)
      expect(task).toMatchObject({ id: TASK, status: 'completed', progress: 1 })
      expect(sizes(task)).toEqual({ '1024x1024': 'image/jpeg 1024x768', '800x800': 'image/jpeg 800x600' })
    },
  ],
  [
    /text\/event-stream/,
    (out) => {
      expect(out).toMatch(/^retry: \d+\n\nevent: task\nid: \S+\ndata: /)
      const states = [...out.matchAll(/^data: (.*)$/gm)].map(([, data]) => taskIn(data!))
      expect(states.at(-1)).toMatchObject({ id: TASK, status: 'completed' })
    },
  ],
  [/800\.jpg/, async () => expect(await looks('800.jpg')).toBe('jpeg 800x600')],
  [/800\.webp/, async (_out, line) => await looksIn('800.webp', 'webp 800x600', line)],
  [/800\.avif/, async (_out, line) => await looksIn('800.avif', 'avif 800x600', line)],
  [
    /--data-binary/,
    async (out) => {
      const { id } = taskIn(out)
      const response = await fetch(`${runtime.url}/tasks/${id}`, { headers: { prefer: 'wait=30' } })
      expect(sizes((await response.json()) as TaskRepresentation)).toEqual({
        '640x480': 'image/webp 640x480',
        '1200x': 'image/webp 1200x900',
        '200x200-cover': 'image/webp 200x200',
      })
    },
  ],
  [/order-42.*\/tasks$/, (out) => expect(taskIn(out).source.bytes).toBeGreaterThan(0)],
  [
    /order-42.*grep/,
    async (out) => {
      expect(out).toMatch(/^idempotent-replayed: true\r?\n$/i)
      const list = (await (await fetch(`${runtime.url}/tasks`)).json()) as { items: { id: string }[] }
      // Nothing that the tour was not told of, so the second request made no task.
      expect(list.items.map(({ id }) => id).sort()).toEqual([...new Set(ids)].sort())
    },
  ],
  [
    /taskId/,
    async (out) => {
      const { id, retryOf } = taskIn(out)
      expect(retryOf).toBe(TASK)
      const response = await fetch(`${runtime.url}/tasks/${id}/variants/300x300?wait=30`)
      const { width, height } = await sharp(await response.arrayBuffer()).metadata()
      expect({ width, height }).toEqual({ width: 300, height: 225 })
    },
  ],
  [/metadata=/, (out) => expect(taskIn(out).metadata).toEqual({ album: 'summer' })],
  [
    /metadata\.album/,
    (out) => {
      const { items, nextCursor } = JSON.parse(out) as { items: TaskRepresentation[]; nextCursor: string | null }
      expect(items.map(({ id }) => id)).toEqual([ids.at(-1)])
      expect(nextCursor).toBeNull()
    },
  ],
  [
    /original\.jpg/,
    async () => {
      const [sent, back] = await Promise.all(['cat.jpg', 'original.jpg'].map((name) => readFile(join(folder, name))))
      expect(back!.equals(sent!)).toBe(true)
    },
  ],
  [
    /DELETE/,
    async (out) => {
      expect(out).toMatch(/^HTTP\/1\.1 204 /)
      expect(await statusOf(`/tasks/${TASK}`)).toBe(404)
      expect(await statusOf(`/tasks/${TASK}/variants/800x800`)).toBe(404)
    },
  ],
  [
    /^TASK=.*\/uploads \|/,
    (out) => {
      expect(out).toBe('')
      expect(TASK).toMatch(TASK_ID)
      expect(ids).not.toContain(TASK)
    },
  ],
  [/-T cat\.jpg/, (out) => expect(out).toMatch(/^HTTP\/1\.1 (100 Continue\s+HTTP\/1\.1 )?201 /)],
  [
    /-X POST.*\/uploads/,
    (out) => {
      const task = taskIn(out)
      expect(task).toMatchObject({ id: TASK, status: 'completed', source: { kind: 'upload' } })
      expect(sizes(task)).toEqual({ '1024x1024': 'image/jpeg 1024x768', '800x800': 'image/jpeg 800x600' })
    },
  ],
]

test('the tour has commands, and each is looked at', () => {
  expect(commands.length).toBeGreaterThan(10)
  expect(commands.map((line, at) => outcomes[at]?.[0].test(line) ?? line)).toEqual(outcomes.map(() => true))
  expect(tour.split(WHERE)).toHaveLength(commands.length + 1)
})

describe.skipIf(!runnable)('the tour', { timeout: LONG_MS }, () => {
  test.each(commands.map((line, at) => ({ line, at })))('$line', async ({ line, at }) => {
    expect.hasAssertions()
    const out = await run(line)
    await outcomes[at]?.[1](out, line)
  })
})
