/** `npm run demo`, `npm start` and `npm run dev` as a person meets them. */
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TaskSchema } from '#shared/representation.ts'
import { picture, truncated } from '../pictures.ts'
import { type Command, command, storageIn } from './command.ts'

/** Of one command; the machine may have much else to do. */
const LONG = { timeout: 120_000 }
const STACK = /^ {4}at /m

let folder: string
let env: Record<string, string>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-demo-'))
  env = storageIn(join(folder, 'storage'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function run(args: string[], more: Record<string, string> = {}, node: string[] = []): Command {
  return command(args, { cwd: folder, env: { ...env, ...more }, node })
}

/** A port of this machine that someone else has. */
async function takenPort(): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { port, [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) }
}

describe('the demo', () => {
  test('takes a picture through the whole thing, shows it, and serves until it is interrupted', LONG, async () => {
    await writeFile(join(folder, 'own.jpg'), await picture({ width: 1600, height: 1200 }))
    await using demo = run(['demo', 'own.jpg'])
    const [, url] = await demo.tells(/^Serving (http:\S+) .*Ctrl-C/m)
    const told = demo.stderr()
    const [, id] = /^202 Accepted after \d+ ms, Location: \/tasks\/(\S+)$/m.exec(told)!
    expect(told).toMatch(/^█{20} 100 %  completed$/m)
    expect(told).toMatch(/^completed after \d+ ms$/m)
    const task = TaskSchema.parse(JSON.parse(/^\{$.*?^\}$/ms.exec(told)![0]))
    expect(task).toMatchObject({ id, status: 'completed', source: { filename: 'own.jpg', width: 1600 } })
    expect(task.variants.map(({ name }) => name)).toEqual(['1024x1024', '800x800'])
    for (const { name, width, height, bytes } of task.variants) {
      const row = `^${name} +${width} × ${height} +${bytes.toLocaleString('en')} bytes +(/.*)$`
      const [, path] = new RegExp(row, 'm').exec(told)!
      expect(await sharp(path).metadata()).toMatchObject({ format: 'jpeg', width, height })
      expect((await stat(path!)).size).toBe(bytes)
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await fetch(`${url}/tasks/${id}`)).status).toBe(200)
    demo.signal('SIGINT')
    expect(await demo.ended).toBe(0)
    expect(demo.stdout()).toBe('')
    // Nothing beside what the environment names: it can be run from anywhere.
    expect(await readdir(folder)).toEqual(['own.jpg', 'storage'])
  })

  test('works where keys are set and links lead elsewhere', LONG, async () => {
    await writeFile(join(folder, 'own.jpg'), await picture({ width: 60, height: 40 }))
    const keyed = { API_KEY: 'first-key-1,second-key', SERVER_HOST: '127.0.0.1', PUBLIC_URL: 'https://img.invalid/x' }
    await using demo = run(['demo', 'own.jpg'], keyed)
    await demo.tells(/^completed after/m)
    await demo.tells(/^Serving/m)
    demo.signal('SIGINT')
    expect(await demo.ended).toBe(0)
  })

  test('makes 12 megapixels of its own without a picture', LONG, async () => {
    const { HEIGHT, makePicture, WIDTH } = await import('../../cli/picture.ts')
    const found = await sharp(await makePicture()).metadata()
    expect(found).toMatchObject({ format: 'jpeg', width: WIDTH, height: HEIGHT })
    expect(WIDTH * HEIGHT).toBe(12_000_000)
  })

  test('that is interrupted shows no task as if it were done', LONG, async () => {
    await writeFile(join(folder, 'own.jpg'), await picture({ width: 60, height: 40 }))
    // Without the function that finishes it, the task stays as it is.
    await using demo = run(['demo', 'own.jpg'], { FUNCTIONS: 'create-task,get-task' })
    await demo.tells(/ {3}0 % {2}pending$/m)
    demo.signal('SIGINT')
    expect(await demo.ended).toBe(0)
    expect(demo.stderr()).not.toMatch(/pending after|^\{|^variant|^Serving/m)
    expect(demo.stderr()).not.toMatch(STACK)
  })

  test('of what is no picture says why in a line, and ends with 1', LONG, async () => {
    await writeFile(join(folder, 'letter.jpg'), 'Dear Sir or Madam')
    await using demo = run(['demo', 'letter.jpg'])
    expect(await demo.ended).toBe(1)
    expect(demo.stderr()).toMatch(/^415 unsupported-image: .*got text\.$/m)
    expect(demo.stderr()).not.toMatch(STACK)
    // Functions that were still starting are not called broken for that.
    expect(demo.stdout()).toBe('')
  })

  test('of a picture that cannot be made says why in a line, and ends with 1', LONG, async () => {
    await writeFile(join(folder, 'half.jpg'), truncated(await picture()))
    await using demo = run(['demo', 'half.jpg'])
    expect(await demo.ended).toBe(1)
    expect(demo.stderr()).toMatch(/^image-corrupt: /m)
    expect(demo.stderr() + demo.stdout()).not.toMatch(STACK)
    expect(demo.stderr()).not.toMatch(/^Serving/m)
  })

  test.each([
    ['a picture that is missing', ['demo', 'none.jpg'], /^The picture cannot be read\. ENOENT.*none\.jpg'\n$/],
    ['a folder', ['demo', '.'], /^The picture cannot be read\. EISDIR.*\n$/],
    ['two pictures', ['demo', 'a.jpg', 'b.jpg'], /^Expected one picture at most: npm run demo -- cat\.jpg\n$/],
  ])('given %s says so in a line, ends with 1, and starts nothing', LONG, async (_what, args, line) => {
    await using demo = run(args)
    expect(await demo.ended).toBe(1)
    expect(demo.stderr()).toMatch(line)
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a bad value in the environment', () => {
  test.each([
    [
      'VARIANTS',
      'thumb=200x200:fill',
      /^VARIANTS: expected .* as thumb, not "200x200:fill", got "thumb=200x200:fill"$/,
    ],
    ['ALLOW_HOSTS', 'intern.example,10.0.0.0/99', /^ALLOW_HOSTS: expected .*, got "10\.0\.0\.0\/99"$/],
  ])('%s ends start with 1, and is named in one line', LONG, async (name, value, line) => {
    await using start = run(['start'], { [name]: value })
    expect(await start.ended).toBe(1)
    const [heading, told, ...more] = start.stderr().trimEnd().split('\n')
    expect([heading, more]).toEqual(['The environment has a bad value.', []])
    expect(told).toMatch(line)
  })
})

describe('a port that is taken', () => {
  test.each([['demo'], ['dev']])('%s takes the next, and says so', LONG, async (name) => {
    await writeFile(join(folder, 'own.jpg'), await picture({ width: 60, height: 40 }))
    await using taken = await takenPort()
    const more = { SERVER_PORT: String(taken.port), FUNCTIONS: 'create-task,get-task' }
    await using started = run(name === 'demo' ? ['demo', 'own.jpg'] : [name], more)
    const [, old, next] = await started.tells(/^Port (\d+) is taken; using (\d+)\.$/m)
    expect(Number(old)).toBe(taken.port)
    expect(Number(next)).toBeGreaterThan(taken.port)
    expect((await fetch(`http://127.0.0.1:${next}/healthz`)).status).toBe(200)
    started.signal('SIGTERM')
    expect(await started.ended).toBe(0)
  })

  test('ends start with 1, and is named', LONG, async () => {
    await using taken = await takenPort()
    await using start = run(['start'], { SERVER_PORT: String(taken.port) })
    expect(await start.ended).toBe(1)
    expect(start.stderr()).toMatch(new RegExp(`^SERVER_PORT: port ${taken.port} is taken; set another$`, 'm'))
    expect(start.stderr()).not.toMatch(STACK)
  })

  test.each(['start', 'dev'])('of the metrics ends %s with 1, and is named', LONG, async (name) => {
    await using taken = await takenPort()
    await using start = run([name], { METRICS_PORT: String(taken.port) })
    expect(await start.ended).toBe(1)
    expect(start.stderr()).toMatch(new RegExp(`^METRICS_PORT: port ${taken.port} is taken; set another$`, 'm'))
    expect(start.stderr()).not.toMatch(STACK)
  })
})

describe('the entry', () => {
  const pretend = (version: string): string[] => {
    const value = `{ ...process.versions, node: '${version}' }`
    return ['--import', `data:text/javascript,Object.defineProperty(process, 'versions', { value: ${value} })`]
  }

  test.each(['18.20.0', '20.19.5', '22.22.2', '23.11.0', '24.14.9'])(
    'refuses Node %s, with ways out',
    async (version) => {
      await using start = run(['start'], {}, pretend(version))
      expect(await start.ended).toBe(1)
      expect(start.stderr()).toContain(`this is Node ${version}.`)
      for (const way of ['npm ci && npm start', 'nvm install 24', 'docker run']) expect(start.stderr()).toContain(way)
      expect(start.stderr()).not.toMatch(STACK)
    },
  )

  test.each(['22.22.3', '22.23.0', '24.15.0', '26.0.0'])('takes Node %s', async (version) => {
    await using start = run(['no-such-command'], {}, pretend(version))
    expect(await start.ended).toBe(1)
    expect(start.stderr()).toBe('Unknown command "no-such-command". Expected one of: start, dev, demo, new, build.\n')
  })
})
