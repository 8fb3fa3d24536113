/**
 * What the build made, in folders that hold nothing else: it starts, and answers. `TEST_BUNDLES=all` tries each part of
 * each cloud; else one of each kind. `TEST_LAMBDA_HOST` and `TEST_AZURE_HOST` name commands, as in the scenarios.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { build, type Built } from '../../build/build.ts'
import type { Cloud } from '../../build/entries.ts'
import type { Architecture } from '../../build/packages.ts'
import { hasClients } from '../clouds/installed.ts'
import { httpEvent } from '../clouds/lambda-events.ts'
import { freePort } from '../clouds/programs.ts'
import { until } from '../runtime/until.ts'
import { type Command, program, storageIn } from './command.ts'

const ALL = process.env['TEST_BUNDLES'] === 'all'
const LAMBDA = process.env['TEST_LAMBDA_HOST']?.split(' ')
const AZURE = process.env['TEST_AZURE_HOST']?.split(' ')
const FRAMEWORK = fileURLToPath(
  new URL('../../runtime/node_modules/@google-cloud/functions-framework/build/src/main.js', import.meta.url),
)
const KINDS = ['process-image', 'sweep-tasks', 'api']

/** Whatever this machine is busy with. */
const MS = 240_000
const architecture = process.arch as Architecture

/** No store need be there for an answer about the process itself. */
const ENV = {
  AUTH: 'platform',
  MONGODB_URI: 'mongodb://127.0.0.1:1/none?serverSelectionTimeoutMS=100',
  S3_BUCKET: 'none',
  SQS_URL: 'http://127.0.0.1:1/1',
  GOOGLE_CLOUD_PROJECT: 'none',
  AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=none;AccountKey=${btoa('none')};QueueEndpoint=http://127.0.0.1:1/none`,
  K_SINK: 'http://127.0.0.1:1',
  LOG_LEVEL: 'silent',
}

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'revela-built-'))))
afterAll(async () => await rm(folder, { recursive: true, force: true }))

/** Far from the project: what a bundle lacks is nowhere above it. */
async function cleanCopy(built: string, name: string): Promise<string> {
  const clean = await mkdtemp(join(folder, `${name}-`))
  await cp(built, clean, { recursive: true })
  return clean
}

async function answers(command: Command, url: string): Promise<Response> {
  let response: Response | undefined
  let over = false
  void command.ended.then(() => (over = true))
  const look = async (): Promise<boolean> => {
    response = await fetch(url).catch(() => undefined)
    return over || response !== undefined
  }
  await until(`${url} answers`, look, MS)
  if (!response) throw new Error(`it ended: ${command.stderr()}${command.stdout()}`)
  return response
}

test('node: the whole runtime, containers and documentation included', { timeout: MS }, async () => {
  const [made] = await build({ target: 'node', architecture, out: join(folder, 'node') })
  const clean = await cleanCopy(made!.folder, 'node')
  const own = join(folder, 'storage')
  await mkdir(own)
  const env = { ...storageIn(own), LOG_LEVEL: 'warn' }
  await using command = program(process.execPath, [join(clean, 'start.mjs')], { cwd: own, env })
  const [, url] = await command.tells(/^API +(\S+)\/tasks$/m)
  const picture = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'teal' } })
    .jpeg()
    .toBuffer()
  const headers = { 'content-type': 'image/jpeg', prefer: 'wait=60' }
  const response = await fetch(`${url}/tasks`, { method: 'POST', headers, body: new Uint8Array(picture) })
  expect(await response.json()).toMatchObject({ status: 'completed', attempts: 1 })
  expect((await fetch(`${url}/docs/swagger-ui-bundle.js`)).status).toBe(200)
  expect(command.stderr()).not.toContain('BROKEN')
  command.signal('SIGTERM')
  expect(await command.ended).toBe(0)
})

type Start = (clean: string, port: number) => Command

/** Lambda's client calls the handler; so does this, where there is no host of it. */
const CALL = (path: string): string => `import { createServer } from 'node:http'
const { handler } = await import('./index.mjs')
const event = ${JSON.stringify(httpEvent({ path }))}
const { statusCode, body } = await handler(event, { getRemainingTimeInMillis: () => 9000 })
createServer((_, response) => response.writeHead(statusCode).end(body)).listen(process.env.PORT, '127.0.0.1')
`

const HEALTH = '/healthz'

const STARTS: Record<Cloud, Start | null> = {
  knative: (cwd, port) => program(process.execPath, ['index.mjs'], { cwd, env: { ...ENV, PORT: String(port) } }),
  'google-cloud': (cwd, port) =>
    program(process.execPath, [FRAMEWORK, '--target=revela', `--source=${cwd}`, `--port=${port}`], { cwd, env: ENV }),
  'aws-lambda': (cwd, port) => {
    if (!LAMBDA) return program(process.execPath, ['call.mjs'], { cwd, env: { ...ENV, PORT: String(port) } })
    const env = Object.entries(ENV).flatMap(([name, value]) => ['--env', `${name}=${value}`])
    const options = ['--dir', cwd, '--handler', 'index.handler', '--port', String(port), ...env]
    return program(LAMBDA[0]!, [...LAMBDA.slice(1), ...options], { cwd })
  },
  azure: AZURE
    ? (cwd, port) =>
        program(AZURE[0]!, [...AZURE.slice(1), '--dir', cwd, '--port', String(port)], {
          cwd,
          env: { ...ENV, AZURE_HTTP_STREAM: 'off' },
        })
    : null,
}

describe.skipIf(!hasClients).each(Object.entries(STARTS).filter(([, start]) => start))('%s', (cloud, start) => {
  test('each part starts and answers', { timeout: MS }, async () => {
    const made = await build({
      target: cloud as Cloud,
      names: ALL ? [] : KINDS,
      architecture,
      out: join(folder, cloud),
    })
    expect(made.map(({ name }) => name)).toEqual(expect.arrayContaining(KINDS))
    const tryOne = async ({ name, folder: built }: Built): Promise<void> => {
      const clean = await cleanCopy(built, `${cloud}-${name}`)
      if (cloud === 'aws-lambda' && !LAMBDA) await writeFile(join(clean, 'call.mjs'), CALL(HEALTH))
      const port = await freePort()
      await using command = start!(clean, port)
      // Azure's host tells what is registered: a part without routes answers nobody.
      const isAzure = cloud === 'azure'
      const [path, told] = isAzure ? ['/admin/functions', name === 'api' ? 'create-task' : name] : [HEALTH, '"ok"']
      const response = await answers(command, `http://127.0.0.1:${port}${path}`)
      expect([name, response.status, await response.text()]).toEqual([name, 200, expect.stringContaining(told)])
      // A host that is killed would leave what it started.
      command.signal('SIGTERM')
      await command.ended
    }
    // At once: each waits for seconds for stores that are not there.
    await Promise.all(made.map(tryOne))
  })
})
