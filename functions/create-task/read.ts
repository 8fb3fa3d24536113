/** Reads a request of any kind: its options, and its image into the sink. */
import type { Bindings } from '#shared/bindings.ts'
import { chunksOf, readJson } from '#shared/body.ts'
import type { BodyKind } from './body.ts'
import { gatherFaults, type Faults, issuesOf, shown } from '#shared/options/faults.ts'
import { givenAsText, type TextOption } from '#shared/options/given.ts'
import { readForm } from './multipart.ts'
import { type Asked, normalise } from '#shared/options/options.ts'
import { receiveImage, type Sink } from '#shared/picture/receive.ts'
import { UrlSchema } from '#shared/options/schema.ts'
import type { AskedSource } from './source.ts'

export type AskedTask = Asked & { source: AskedSource }

interface Target {
  taskId: string
  sink: Sink
}

function queryOf(request: Request): TextOption[] {
  const start = request.url.indexOf('?')
  return start === -1 ? [] : [...new URLSearchParams(request.url.slice(start))]
}

async function readRaw(
  request: Request,
  body: ReadableStream<Uint8Array>,
  env: Bindings,
  { taskId, sink }: Target,
): Promise<AskedTask> {
  const faults = gatherFaults('text')
  const asked = normalise(givenAsText(queryOf(request), faults), env.settings, faults)
  // Before the body is read: what is refused anyway is not uploaded first.
  faults.settle()
  const image = await receiveImage(chunksOf(body, env.invocation.signal), taskId, env.settings, sink)
  return { ...asked, source: { kind: 'upload', image, filename: null } }
}

async function readMultipart(
  request: Request,
  body: ReadableStream<Uint8Array>,
  env: Bindings,
  { taskId, sink }: Target,
): Promise<AskedTask> {
  const { settings, invocation } = env
  const stop = new AbortController()
  const chunks = chunksOf(body, AbortSignal.any([invocation.signal, stop.signal]))
  const { fields, image } = await readForm(request.headers.get('content-type') ?? '', chunks, {
    stop,
    inputBytesMax: settings.inputBytesMax,
    take: async ({ bytes, filename }) => ({ image: await receiveImage(bytes, taskId, settings, sink), filename }),
  })
  const faults = gatherFaults('text')
  const asked = normalise(givenAsText([...queryOf(request), ...fields], faults), settings, faults)
  faults.settle()
  return { ...asked, source: { kind: 'upload', ...image } }
}

function jsonSource(url: unknown, taskId: unknown, faults: Faults): AskedSource | null {
  if ((url === undefined) === (taskId === undefined)) {
    faults.add([], `Expected either url or taskId, got ${url === undefined ? 'neither' : 'both'}`)
    return null
  }
  if (taskId === undefined) {
    const parsed = UrlSchema.safeParse(url)
    if (parsed.success) return { kind: 'url', url: parsed.data }
    for (const { path, detail } of issuesOf(parsed.error, url)) faults.at('url')(path, detail)
  } else if (typeof taskId === 'string') return { kind: 'task', taskId }
  else faults.at('taskId')([], `Expected the id of a task, got ${shown(taskId)}`)
  return null
}

async function readMembers(request: Request, body: ReadableStream<Uint8Array>, env: Bindings): Promise<AskedTask> {
  const members = await readJson(chunksOf(body, env.invocation.signal), 'url or taskId')
  const faults = gatherFaults('json')
  const source = jsonSource(members.get('url'), members.get('taskId'), faults)
  members.delete('url')
  members.delete('taskId')
  for (const [name, value] of givenAsText(queryOf(request), faults)) {
    if (members.has(name)) faults.at(name)([], 'Expected the option once, got it in the query too')
    else members.set(name, value)
  }
  const asked = normalise(members, env.settings, faults)
  faults.settle()
  if (source === null) throw new Error('A body without a source was not refused.')
  return { ...asked, source }
}

export async function readTask(request: Request, kind: BodyKind, env: Bindings, target: Target): Promise<AskedTask> {
  const { body } = request
  if (body === null) throw new Error('A request without a body was not refused.')
  if (kind === 'raw') return await readRaw(request, body, env, target)
  return kind === 'multipart' ? await readMultipart(request, body, env, target) : await readMembers(request, body, env)
}
