/** `npm run demo [-- picture]`: one picture through the whole thing, over real HTTP; then it serves until Ctrl-C. */
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { TaskRepresentation } from '#shared/representation.ts'
import { type EncodedFormat, variantKey } from '#shared/variant.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { messageOf } from '../runtime/host.ts'
import { followTask } from './follow.ts'
import { CommandError, fail, say } from './report.ts'
import { drainOnSignal, outliveStrays } from './signals.ts'
import { startOnFreePort } from './serve.ts'
import { columns } from './table.ts'

interface Picture {
  bytes: Buffer
  name: string
}

interface Demo {
  config: Config
  url: string
  picture: Picture
  /** Aborts when the demo is interrupted. */
  signal: AbortSignal
}

async function pictureOf([path, ...more]: readonly string[]): Promise<Picture> {
  if (more.length > 0) throw new CommandError('Expected one picture at most: npm run demo -- cat.jpg')
  if (path) {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new CommandError(`The picture cannot be read. ${messageOf(error)}`)
    })
    return { bytes, name: basename(path) }
  }
  const { HEIGHT, makePicture, WIDTH } = await import('./picture.ts')
  say(`Making a picture of ${WIDTH} × ${HEIGHT} pixels …`)
  return { bytes: await makePicture(), name: 'demo.jpg' }
}

function bar({ progress, status }: TaskRepresentation): string {
  const done = Math.round(progress * 20)
  return `${'█'.repeat(done)}${'░'.repeat(20 - done)} ${String(Math.round(progress * 100)).padStart(3)} %  ${status}`
}

async function refusalOf(response: Response): Promise<CommandError> {
  const { code, detail } = (await response.json()) as { code: string; detail: string }
  return new CommandError(`${response.status} ${code}: ${detail}`)
}

/** The finished task; null when the demo was interrupted before. */
async function sendPicture({ config, url, picture, signal }: Demo): Promise<TaskRepresentation | null> {
  const { bytes, name } = picture
  say(`POST ${url}/tasks  (${name}, ${bytes.length.toLocaleString('en')} bytes)`)
  const form = new FormData()
  form.set('image', new Blob([new Uint8Array(bytes)]), name)
  const key = config.API_KEY?.[0]
  const headers: Record<string, string> = key ? { 'x-api-key': key } : {}
  const started = performance.now()
  const elapsed = (): string => `${Math.round(performance.now() - started)} ms`
  const response = await fetch(`${url}/tasks`, { method: 'POST', body: form, headers, signal })
  if (response.status !== 202) throw await refusalOf(response)
  say(`202 Accepted after ${elapsed()}, Location: ${response.headers.get('location')}`)
  const { id } = (await response.json()) as TaskRepresentation
  const onTask = (task: TaskRepresentation): void => say(bar(task))
  const task = await followTask(`${url}/tasks/${id}`, { headers, signal, onTask })
  if (task) say(`${task.status} after ${elapsed()}`)
  return task
}

function variantTable({ id, variants }: TaskRepresentation, folder: string): string {
  const rows = variants.map(({ name, width, height, bytes, mediaType }) => {
    const key = variantKey(id, name, mediaType.slice('image/'.length) as EncodedFormat)
    const file = resolve(folder, id, basename(key))
    return [name, `${width} × ${height}`, `${bytes.toLocaleString('en')} bytes`, file]
  })
  return columns([['variant', 'size', 'bytes', 'file'], ...rows])
}

async function show(demo: Demo): Promise<void> {
  const { config, url } = demo
  const task = await sendPicture(demo)
  if (!task) return
  if (task.error) throw new CommandError(`${task.error.code}: ${task.error.message}`)
  say(`\n${JSON.stringify(task, null, 2)}\n`)
  say(variantTable(task, config.STORAGE_OUTPUT_PATH))
  say(`\nServing ${url} (docs at ${url}/docs). Ctrl-C ends it.`)
}

export async function run(args: string[]): Promise<void> {
  const interrupted = new AbortController()
  try {
    // The demo is for a person: of the log only what went wrong.
    const config = readConfig(undefined, { LOG_LEVEL: 'warn' })
    outliveStrays(say)
    const picture = await pictureOf(args)
    const runtime = await startOnFreePort(config, {})
    drainOnSignal(() => {
      interrupted.abort()
      return runtime.close()
    }, say)
    await show({ config, url: runtime.url, picture, signal: interrupted.signal }).catch(async (error: unknown) => {
      // The drain is under way, and ends the process.
      if (interrupted.signal.aborted) return
      await runtime.close()
      throw error
    })
  } catch (error) {
    fail(error)
  }
}
