/** `npm run demo [-- picture]`: one picture through the whole thing, over real HTTP; then it serves until Ctrl-C. */
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { readConfig } from '../config.ts'
import type { Runtime } from '../main.ts'
import { drainOnSignal } from './signals.ts'
import { fail, say, startOnFreePort } from './serve.ts'
import { columns } from './table.ts'

interface DemoTask {
  id: string
  status: string
  progress: number
  error: { code: string; message: string } | null
  variants: { name: string; width: number; height: number; bytes: number; mediaType: string; href: string }[]
  links: { self: string; events: string }
}

async function pictureOf(path: string | undefined): Promise<{ bytes: Buffer; name: string }> {
  if (path) return { bytes: await readFile(path), name: basename(path) }
  const { HEIGHT, makePicture, WIDTH } = await import('./picture.ts')
  say(`Making a picture of ${WIDTH} × ${HEIGHT} pixels …`)
  return { bytes: await makePicture(), name: 'demo.jpg' }
}

/** Reads a task's event stream until it ends, telling each state. */
async function follow(url: string, onTask: (task: DemoTask) => void): Promise<void> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream' } })
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (text + chunk).split('\n\n')
    text = events.pop()!
    for (const event of events) {
      const data = event
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice('data:'.length))
      if (data.length > 0) onTask(JSON.parse(data.join('\n')) as DemoTask)
    }
  }
}

function bar(task: DemoTask): string {
  const done = Math.round(task.progress * 20)
  return `${'█'.repeat(done)}${'░'.repeat(20 - done)} ${String(Math.round(task.progress * 100)).padStart(3)} %  ${task.status}`
}

async function postPicture(runtime: Runtime, path: string | undefined, key: string | undefined): Promise<DemoTask> {
  const { bytes, name } = await pictureOf(path)
  say(`POST ${runtime.url}/tasks  (${name}, ${bytes.length.toLocaleString('en')} bytes)`)
  const form = new FormData()
  form.set('image', new Blob([new Uint8Array(bytes)]), name)
  const headers: Record<string, string> = key ? { 'x-api-key': key } : {}
  const started = performance.now()
  const response = await fetch(`${runtime.url}/tasks`, { method: 'POST', body: form, headers })
  if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`)
  say(`202 Accepted after ${Math.round(performance.now() - started)} ms, Location: ${response.headers.get('location')}`)
  let task = (await response.json()) as DemoTask
  await follow(new URL(task.links.events, runtime.url).href, (next) => {
    task = next
    say(bar(task))
  })
  say(`${task.status} after ${Math.round(performance.now() - started)} ms`)
  return task
}

export async function run([path]: string[]): Promise<void> {
  try {
    const config = readConfig()
    // The demo is for a person: of the log only what went wrong.
    const runtime = await startOnFreePort(
      { ...config, LOG_LEVEL: process.env.LOG_LEVEL ? config.LOG_LEVEL : 'warn' },
      {},
    )
    drainOnSignal(() => runtime.close(), say)
    const task = await postPicture(runtime, path, config.API_KEY?.[0])
    if (task.error) throw new Error(`${task.error.code}: ${task.error.message}`)
    say(`\n${JSON.stringify(task, null, 2)}\n`)
    const rows = task.variants.map(({ name, width, height, bytes, mediaType }) => {
      const file = resolve(
        config.STORAGE_OUTPUT_PATH,
        task.id,
        `${name}.${mediaType === 'image/jpeg' ? 'jpg' : mediaType.slice('image/'.length)}`,
      )
      return [name, `${width} × ${height}`, `${bytes.toLocaleString('en')} bytes`, file]
    })
    say(columns([['variant', 'size', 'bytes', 'file'], ...rows]))
    say(`\nServing ${runtime.url} (docs at ${runtime.url}/docs). Ctrl-C ends it.`)
  } catch (error) {
    fail(error)
  }
}
