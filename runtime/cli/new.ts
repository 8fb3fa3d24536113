/** `npm run new -- resize-avatar --queue thumbnails`: a function folder with its test, ready to be served. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { checkConfig, messageOf } from '../loader.ts'
import { say } from './report.ts'
import { type FunctionKind, templates } from './templates.ts'

const FUNCTIONS = fileURLToPath(new URL('../../functions', import.meta.url))
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const USAGE = `Usage:
  npm run new -- resize-avatar --queue thumbnails
  npm run new -- get-avatar --http "GET /avatars/{avatarId}"
  npm run new -- count-tasks --every 60
  Add --process to run it in a container of its own.`

/** What the arguments ask for. Throws with the fault in words. */
export function readArguments(args: readonly string[]): { name: string; kind: FunctionKind; isolated: boolean } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      queue: { type: 'string' },
      http: { type: 'string' },
      every: { type: 'string' },
      process: { type: 'boolean', default: false },
    },
  })
  const [name, ...more] = positionals
  if (!name || more.length > 0) throw new Error('Expected one name.')
  if (!NAME.test(name)) throw new Error(`Expected a name of a-z, 0-9 and single dashes, got "${name}".`)
  const given = [values.queue, values.http, values.every].filter((value) => value !== undefined)
  if (given.length !== 1) throw new Error(`Expected one of --queue, --http and --every, got ${given.length}.`)
  const { queue, http, every } = values
  if (queue) return { name, isolated: values.process, kind: { type: 'queue', queue } }
  if (http) return { name, isolated: values.process, kind: { type: 'http', route: http } }
  return { name, isolated: values.process, kind: { type: 'timer', everyMs: Number(every) * 1_000 } }
}

/** Checked by the loader's own rules before anything is written. */
function check(kind: FunctionKind): void {
  const trigger =
    kind.type === 'queue'
      ? { ...kind, concurrency: 1, maxAttempts: 1 }
      : kind.type === 'http'
        ? { type: kind.type, routes: [kind.route] }
        : kind
  checkConfig({ trigger, timeoutMs: 1 })
}

export async function writeFunction(args: readonly string[], folder = FUNCTIONS): Promise<string[]> {
  const { name, kind, isolated } = readArguments(args)
  check(kind)
  const own = join(folder, name)
  if (existsSync(own)) throw new Error(`functions/${name} exists already.`)
  const files = Object.entries(templates(name, kind, isolated))
  await mkdir(own, { recursive: true })
  for (const [file, text] of files) await writeFile(join(own, file), text, { flag: 'wx' })
  return files.map(([file]) => `functions/${name}/${file}`)
}

export async function run(args: string[]): Promise<void> {
  try {
    for (const file of await writeFunction(args)) say(`wrote ${file}`)
    say('`npm run dev` serves it.')
  } catch (error) {
    say(`${messageOf(error)}\n\n${USAGE}`)
    process.exit(1)
  }
}
