/** A client of the API, as the scenarios use it. Whatever it is answered is noted, to be held against the document. */
import { expect } from 'vitest'
import { PROBLEMS } from '#shared/errors.ts'
import { ProblemSchema, type TaskRepresentation, TaskSchema } from '#shared/representation.ts'
import { note } from './answers.ts'

export type Options = Record<string, string>
export type Body = NonNullable<RequestInit['body']>

export interface Client {
  url: string
  /** A path, or a URL as a Task's links carry it. Never follows redirects. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  form(form: FormData, headers?: Options): Promise<Response>
  /** As a form: the options first, then the image. */
  upload(image: Uint8Array, options?: Options, headers?: Options): Promise<Response>
  raw(image: Uint8Array, query?: Options, headers?: Options): Promise<Response>
  json(body: unknown, headers?: Options): Promise<Response>
  /** Uploads, waits, and gives the task that must have completed. */
  completed(image: Uint8Array, options?: Options): Promise<TaskRepresentation>
  get(id: string, headers?: Options): Promise<TaskRepresentation>
  bytes(path: string): Promise<Buffer>
}

/** Longer than any single picture of the scenarios takes, however busy the machine. */
export const WAIT = { prefer: 'wait=30' }

/** A body that fetch takes: a Buffer may lie in shared memory, for which it has no type. */
export function bodyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

export function formOf(image: Uint8Array | null, options: Options = {}, filename = 'cat.jpg'): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(options)) form.append(name, value)
  if (image) form.append('image', new Blob([bodyOf(image)]), filename)
  return form
}

export async function taskOf(response: Response): Promise<TaskRepresentation> {
  const body = (await response.json()) as TaskRepresentation
  if (!response.ok) throw new Error(`Expected a task, got ${response.status} ${JSON.stringify(body)}`)
  expect(response.headers.get('content-type')).toBe('application/json')
  return TaskSchema.parse(body)
}

/** A problem that keeps everything that every problem promises; `answer` is its status and code: `404 not-found`. */
export async function problemOf(response: Response) {
  const text = await response.text()
  const type = response.headers.get('content-type')
  if (type !== 'application/problem+json') throw new Error(`Expected a problem, got ${response.status} ${type} ${text}`)
  expect(response.headers.get('cache-control')).toBe('no-store')
  const problem = ProblemSchema.strict().parse(JSON.parse(text))
  const { status, url } = response
  const { title } = PROBLEMS[problem.code]
  expect(problem).toMatchObject({ status, title, instance: new URL(url).pathname })
  expect(problem.type.endsWith(`/problems/${problem.code}`)).toBe(true)
  expect(problem.detail).not.toMatch(/node_modules|\/tmp\/|\.ts:\d|\bat \w+ \(/)
  return { ...problem, answer: `${status} ${problem.code}` }
}

/** Of a refusal, its status and code. */
export async function answerOf(response: Response): Promise<string> {
  return (await problemOf(response)).answer
}

export function clientOf(url: string, common: Options = {}): Client {
  const request: Client['fetch'] = async (path, init = {}) => {
    const headers = { ...common, ...(init.headers as Options | undefined) }
    const response = await fetch(new URL(path, url), { redirect: 'manual', ...init, headers })
    note(init.method ?? 'GET', response)
    return response
  }
  const post = async (path: string, body: Body, headers: Options = {}): Promise<Response> =>
    await request(path, { method: 'POST', body, headers })
  const upload: Client['upload'] = async (image, options, headers) =>
    await post('/tasks', formOf(image, options), headers)
  return {
    url,
    fetch: request,
    form: async (form, headers) => await post('/tasks', form, headers),
    upload,
    raw: async (image, query = {}, headers = {}) => {
      const search = new URLSearchParams(query).toString()
      return await post(`/tasks${search && `?${search}`}`, bodyOf(image), { 'content-type': 'image/jpeg', ...headers })
    },
    json: async (body, headers) =>
      await post('/tasks', JSON.stringify(body), { 'content-type': 'application/json', ...headers }),
    completed: async (image, options) => {
      const task = await taskOf(await upload(image, options, WAIT))
      expect(task).toMatchObject({ status: 'completed', error: null })
      return task
    },
    get: async (id, headers) => await taskOf(await request(`/tasks/${id}`, { headers: headers ?? {} })),
    bytes: async (path) => {
      const response = await request(path)
      expect(response.status).toBe(200)
      return Buffer.from(await response.arrayBuffer())
    },
  }
}
