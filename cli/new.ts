/** `npm run new -- resize-avatar --queue thumbnails`: a function folder with its test, ready to be served. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SECOND_MS } from '#shared/limits.ts'
import type { App } from '#shared/http.ts'
import { type FunctionHost, inlineHost } from '../runtime/host.ts'
import { messageOf } from '../runtime/host.ts'
import { discover, type FoundFunction, indexOf, type LoadedFunction, QUEUE_NAME } from '../runtime/loader.ts'
import { say } from './report.ts'
import { type FunctionKind, templates } from './templates.ts'

const FUNCTIONS = fileURLToPath(new URL('../functions', import.meta.url))
const NAME = /^(?=.{1,60}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/
/** What the templates can write down: plain segments and parameters. The loader takes more. */
const ROUTE = /^(?=.{1,100}$)(GET|POST|PUT|PATCH|DELETE) (\/|(\/([\w.~-]+|\{\w+\}))+)$/
const USAGE = `Usage:
  npm run new -- resize-avatar --queue thumbnails
  npm run new -- get-avatar --http "GET /avatars/{avatarId}"
  npm run new -- count-tasks --every 60
  Add --process to run it in a container of its own.`

const EVERY_MS_MIN = 100

interface Wanted {
  name: string
  kind: FunctionKind
  isolated: boolean
}

function readQueue(queue: string): FunctionKind {
  if (!QUEUE_NAME.test(queue)) throw new Error(`--queue: expected a name of a-z, 0-9 and dashes, got "${queue}".`)
  return { type: 'queue', queue }
}

function readRoute(route: string): FunctionKind {
  const params = route.match(/\{\w+\}/g) ?? []
  if (!ROUTE.test(route) || new Set(params).size < params.length) {
    throw new Error(`--http: expected at most 100 characters such as "GET /avatars/{avatarId}", got "${route}".`)
  }
  return { type: 'http', route }
}

function readSeconds(every: string): FunctionKind {
  const everyMs = /^\d+(\.\d+)?$/.test(every) ? Math.round(Number(every) * SECOND_MS) : 0
  if (everyMs < EVERY_MS_MIN || !Number.isSafeInteger(everyMs)) {
    throw new Error(`--every: expected seconds, ${EVERY_MS_MIN / SECOND_MS} or more, got "${every}".`)
  }
  return { type: 'timer', everyMs }
}

/** What the arguments ask for. Throws with the fault in words. */
function readArguments(args: readonly string[]): Wanted {
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
  if (name === undefined || more.length > 0) throw new Error(`Expected one name, got ${positionals.length}.`)
  if (!NAME.test(name)) throw new Error(`Expected a name of a-z, 0-9 and single dashes, at most 60, got "${name}".`)
  const { queue, http, every, process: isolated } = values
  const kinds = [
    ...(queue === undefined ? [] : [() => readQueue(queue)]),
    ...(http === undefined ? [] : [() => readRoute(http)]),
    ...(every === undefined ? [] : [() => readSeconds(every)]),
  ]
  if (kinds.length !== 1) throw new Error(`Expected one of --queue, --http and --every, got ${kinds.length}.`)
  return { name, isolated, kind: kinds[0]!() }
}

function isSame(kind: FunctionKind, { config: { trigger } }: LoadedFunction): boolean {
  if (kind.type === 'queue') return trigger.type === 'queue' && trigger.queue === kind.queue
  const shape = (route: string): string => route.replaceAll(/\{\w+\}/g, '{}')
  return kind.type === 'http' && trigger.type === 'http' && trigger.routes.map(shape).includes(shape(kind.route))
}

/** Of two functions with one queue or route the loader serves the first alone. */
async function checkFree({ name, kind }: Wanted, folder: string): Promise<void> {
  if (existsSync(join(folder, name))) throw new Error(`functions/${name} exists already.`)
  const hostFor = (fn: FoundFunction): FunctionHost => inlineHost(indexOf(fn.folder), (app) => app as App)
  const { functions } = await discover({ folder, hostFor })
  const owner = functions.find((fn) => isSame(kind, fn))
  if (owner) throw new Error(`functions/${owner.name} has this ${kind.type === 'http' ? 'route' : 'queue'} already.`)
}

/** Writes the files into `folder`/name; nothing where anything is wrong. */
export async function writeFunction(args: readonly string[], folder = FUNCTIONS): Promise<string[]> {
  const wanted = readArguments(args)
  await checkFree(wanted, folder)
  const { name, kind, isolated } = wanted
  const files = Object.entries(templates(name, kind, isolated))
  await mkdir(join(folder, name))
  for (const [file, text] of files) await writeFile(join(folder, name, file), text, { flag: 'wx' })
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
