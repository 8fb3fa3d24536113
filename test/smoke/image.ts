/** The image alone: no server, no variable, one volume. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TaskRepresentation } from '#shared/representation.ts'
import { eventually, expectThat, type Report } from './report.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const TAG = 'revela:smoke'
const NAME = 'revela-smoke-image'
const HEALTHY_MS = 60_000
const run = promisify(execFile)

async function docker(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('docker', args, { cwd: PROJECT, env: { ...process.env, DOCKER_BUILDKIT: '1' } })
  return `${stdout}${stderr}`.trim()
}

async function start(...more: string[]): Promise<string> {
  await docker(
    'run',
    '--detach',
    '--name',
    NAME,
    '--publish',
    '127.0.0.1::3000',
    '--volume',
    `${NAME}:/app/storage`,
    ...more,
    TAG,
  )
  await eventually(HEALTHY_MS, 'a healthy container', async () => {
    const health = await docker('inspect', '--format', '{{.State.Health.Status}}', NAME)
    return [health === 'healthy', health]
  })
  return `http://${await docker('port', NAME, '3000')}`
}

async function upload(url: string, key: string, image: Buffer): Promise<Response> {
  const body = new FormData()
  body.append('image', new Blob([new Uint8Array(image)]), 'picture.jpg')
  return await fetch(`${url}/tasks`, { method: 'POST', body, headers: { 'x-api-key': key, prefer: 'wait=30' } })
}

async function remove(): Promise<void> {
  await docker('rm', '--force', '--volumes', NAME).catch(() => '')
  await docker('volume', 'rm', '--force', NAME).catch(() => '')
}

async function alone(picture: Buffer): Promise<string> {
  const url = await start('--read-only', '--tmpfs', '/tmp')
  const [, key] = /kept in .+\n\n {4}(\S+)\n/.exec(await docker('logs', NAME)) ?? []
  expectThat(key !== undefined, 'a key in the log', await docker('logs', NAME))
  expectThat((await upload(url, 'another-key', picture)).status === 401, '401 for another key', '')
  const task = (await (await upload(url, key, picture)).json()) as TaskRepresentation
  expectThat(task.status === 'completed', 'a completed task', task)

  await docker('rm', '--force', NAME)
  const again = await start()
  expectThat(!(await docker('logs', NAME)).includes(key), 'the key not to be shown again', await docker('logs', NAME))
  const read = await fetch(`${again}/tasks/${task.id}`, { headers: { 'x-api-key': key } })
  expectThat(read.status === 200, 'the task and the key kept in the volume', read.status)
  return `${task.variants.map(({ name }) => name).join(', ')}; another container on the volume has task and key`
}

async function ends(): Promise<string> {
  await docker('stop', '--time', '70', NAME)
  const code = await docker('inspect', '--format', '{{.State.ExitCode}}', NAME)
  expectThat(code === '0', 'exit status 0', code)
  return 'docker stop: exit 0'
}

async function size(): Promise<string> {
  const history = await docker('history', '--human=false', '--format', '{{.Size}}', TAG)
  const sizes = history.split('\n').map(Number)
  const ours = await docker('image', 'inspect', '--format', '{{.Size}}', TAG)
  return `${Math.round(Number(ours) / 1e6)} MB in ${sizes.filter((each) => each > 0).length} layers`
}

async function user(): Promise<string> {
  const told = await docker('exec', NAME, 'id', '-u')
  expectThat(told !== '0', 'another user than root', told)
  return `uid ${told}`
}

export async function checkImage({ check }: Report, picture: Buffer): Promise<void> {
  await remove()
  try {
    const built = await check('the image builds', async () => {
      await docker('build', '--quiet', '--file', 'infra/Dockerfile', '--tag', TAG, '.')
      return await size()
    })
    if (!built) return
    await check('alone: key, picture, another container on its volume', async () => await alone(picture))
    await check('not root', async () => await user())
    await check('ends when it is asked to', async () => await ends())
  } finally {
    await remove()
  }
}
