/** A stack of its own beside whatever runs on this machine: names, ports, secrets and storage that nobody else has. */
import { execFile } from 'node:child_process'
import { chown, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
/** Of what a failed command told: its end says why. */
const TOLD_LINES_MAX = 4
const run = promisify(execFile)

export interface Container {
  ID: string
  Name: string
  Service: string
  State: string
  Health: string
  Image: string
}

export interface Stack extends AsyncDisposable {
  /** What .env has. */
  secrets: Record<string, string>
  dashboardPassword: string
  /** Rejects with what it said when it fails. `env` is beside the stack's own. */
  compose: (args: readonly string[], env?: Record<string, string>) => Promise<string>
  docker(args: readonly string[]): Promise<string>
  /** A script of infra/. */
  script(name: string, args?: readonly string[], env?: Record<string, string>): Promise<string>
  containers(service?: string): Promise<Container[]>
  /** `udp` for HTTP/3. The engine chooses again when the container is started again. */
  port(service: string, inner: number, protocol?: 'tcp' | 'udp'): Promise<number>
  folder: string
}

/** An .env of its own, with an origin that may read; and storage that the containers' user owns. */
async function prepare(folder: string): Promise<string> {
  await mkdir(join(folder, 'env'))
  await copyFile(join(PROJECT, '.env.example'), join(folder, 'env/.env.example'))
  const { stdout } = await run(process.execPath, [join(PROJECT, 'infra/env.mjs')], { cwd: join(folder, 'env') })
  const password = /password +(\w+)/.exec(stdout)?.[1]
  if (!password) throw new Error(`infra/env.mjs showed no password:\n${stdout}`)
  const storage = join(folder, 'storage')
  await mkdir(storage)
  const { UID, GID } = parseEnv(await readFile(join(folder, 'env/.env'), 'utf8'))
  if (process.getuid?.() === 0) await chown(storage, Number(UID), Number(GID))
  return password
}

export async function openStack(): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-smoke-'))
  const dashboardPassword = await prepare(folder)
  const file = join(folder, 'env/.env')
  const secrets = parseEnv(await readFile(file, 'utf8')) as Record<string, string>
  // Of this shell's variables only what finds the engine: another stack's must not steer this one.
  const { PATH = '', HOME = '', DOCKER_HOST } = process.env
  const base = {
    PATH,
    HOME,
    ...(DOCKER_HOST ? { DOCKER_HOST } : {}),
    COMPOSE_PROJECT_NAME: 'revela-smoke',
    COMPOSE_FILE: 'docker-compose.yml:test/smoke/compose.yml',
    COMPOSE_ENV_FILES: file,
    COMPOSE_PROGRESS: 'quiet',
    APP_VERSION: 'smoke',
    CORS_ORIGINS: 'https://app.example',
    API_REPLICAS: '2',
    SMOKE_STORAGE: join(folder, 'storage'),
  }
  const call = async (program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
    const options = { cwd: PROJECT, env: { ...base, ...env }, maxBuffer: OUTPUT_BYTES_MAX }
    const { stdout } = await run(program, args, options).catch((error: Error & { stderr?: string }) => {
      const told = (error.stderr || error.message).trim().split('\n').slice(-TOLD_LINES_MAX).join(' ')
      throw new Error(`${program.split('/').at(-1)} ${args.join(' ')}: ${told}`)
    })
    return stdout
  }
  const docker: Stack['docker'] = async (args) => await call('docker', args)
  const compose: Stack['compose'] = async (args, env) => await call('docker', ['compose', ...args], env)
  return {
    folder,
    secrets,
    dashboardPassword,
    docker,
    compose,
    script: async (name, args = [], env) => await call(join(PROJECT, 'infra', name), args, env),
    async containers(service) {
      const lines = await compose(['ps', '--all', '--format', 'json', ...(service ? [service] : [])])
      return lines
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Container)
    },
    async port(service, inner, protocol = 'tcp') {
      const address = await compose(['port', '--protocol', protocol, service, String(inner)])
      return Number(address.trim().split(':').at(-1))
    },
    async [Symbol.asyncDispose]() {
      await compose(['down', '--volumes', '--remove-orphans', '--timeout', '5'])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
