/**
 * `npm run env`: makes .env of .env.example, with random secrets, for compose. Refuses where there is one.
 *   npm run env -- --domain images.example.com --email admin@example.com
 */
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { apr1 } from './apr1.mjs'

const USAGE = 'Usage: npm run env -- [--domain HOST] [--email ADDRESS]'
const SECRET_BYTES = 24
/** Of the image, as `docker run` has it: what root starts does not run as root. */
const IMAGE_USER = 1000

const hex = () => randomBytes(SECRET_BYTES).toString('hex')

function owner() {
  const [uid, gid] = [process.getuid?.() ?? IMAGE_USER, process.getgid?.() ?? IMAGE_USER]
  return uid === 0 ? { uid: IMAGE_USER, gid: IMAGE_USER } : { uid, gid }
}

function valuesFor({ domain = 'localhost', email = '' }, { uid, gid }, dashboardPassword) {
  const root = hex()
  return {
    DOMAIN: domain,
    SSL_EMAIL: email,
    API_KEY: hex(),
    SIGNING_KEYS: hex(),
    WEBHOOK_SECRET: `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`,
    // The salt's alphabet has all of hex. Single quotes: else compose and shells read its dollars as variables.
    TRAEFIK_AUTH: `'admin:${apr1(dashboardPassword, randomBytes(4).toString('hex'))}'`,
    MONGO_ROOT_PASSWORD: root,
    MONGO_PASSWORD: root,
    MONGO_APP_PASSWORD: hex(),
    REDIS_PASSWORD: hex(),
    GRAFANA_PASSWORD: hex(),
    UID: uid,
    GID: gid,
    // The compose files know the version that they were made for; a copy here would outlive each upgrade.
    APP_VERSION: '',
    // Of each worker of compose; the example has the default of a process by itself.
    CONCURRENCY: 5,
  }
}

function filled(example, values) {
  let text = example
  for (const [name, value] of Object.entries(values)) {
    const line = new RegExp(`^${name}=.*$`, 'm')
    if (!line.test(text)) throw new Error(`.env.example has no line for ${name}`)
    text = text.replace(line, () => `${name}=${value}`)
  }
  return text
}

/** The folder that compose mounts: where root made it, the containers could not write there. */
function prepareStorage({ uid, gid }) {
  mkdirSync('storage', { recursive: true })
  if (process.getuid?.() === 0) chownSync('storage', uid, gid)
}

function run() {
  const { values: options } = parseArgs({ options: { domain: { type: 'string' }, email: { type: 'string' } } })
  if (existsSync('.env')) throw new Error(`${join(process.cwd(), '.env')} is there already, and is not overwritten.`)
  const user = owner()
  const dashboardPassword = hex()
  const text = filled(readFileSync('.env.example', 'utf8'), valuesFor(options, user, dashboardPassword))
  // Also not where one was made since: its secrets may be the only copy.
  writeFileSync('.env', text, { flag: 'wx', mode: 0o600 })
  prepareStorage(user)
  console.log(`.env is written, with secrets of its own; nobody but you can read it. Keep a copy where it is safe.

Traefik's dashboard   https://traefik.${options.domain ?? 'localhost'}
  user                admin
  password            ${dashboardPassword}
                      shown this once: .env has its hash alone

Next: docker compose up -d --build --wait`)
}

try {
  run()
} catch (error) {
  console.error(error.code?.startsWith('ERR_PARSE_ARGS') ? `${error.message}\n${USAGE}` : error.message)
  process.exitCode = 1
}
