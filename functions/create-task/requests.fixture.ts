/** Requests as clients send them, for this function's tests. */
import { Buffer } from 'node:buffer'
import type { Bindings } from '#shared/bindings.ts'
import type { TaskRepresentation } from '#shared/representation.ts'
import app from './index.ts'

export interface Problem {
  status: number
  code: string
  detail: string
  errors?: Array<{ pointer: string; detail: string }>
}

export interface Part {
  name: string
  value: string | Uint8Array
  /** Makes it a file part. */
  filename?: string
  type?: string
}

export const BOUNDARY = 'revela-test-boundary'

export function formBytes(parts: readonly Part[], end = `--${BOUNDARY}--\r\n`): Buffer {
  const blocks = parts.flatMap(({ name, value, filename, type }) => [
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"`,
    type === undefined ? '' : `\r\nContent-Type: ${type}`,
    '\r\n\r\n',
    value,
    '\r\n',
  ])
  return Buffer.concat([...blocks, end].map((block) => (typeof block === 'string' ? Buffer.from(block) : block)))
}

export function imagePart(value: Uint8Array, filename = 'cat.jpg'): Part {
  return { name: 'image', value, filename, type: 'image/jpeg' }
}

/** One chunk for each item, only when it is asked for. */
export function streamOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks)
}

export function* slices(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export interface Sent {
  body: Uint8Array | ReadableStream<Uint8Array> | string | null
  type?: string | null
  headers?: Record<string, string>
  query?: string
}

export async function post(
  env: Bindings,
  { body, type = 'image/jpeg', headers = {}, query = '' }: Sent,
): Promise<Response> {
  const init: RequestInit = {
    method: 'POST',
    headers: { ...(type === null ? {} : { 'Content-Type': type }), ...headers },
    body,
    duplex: 'half',
  }
  return await app.request(`/tasks${query}`, init, env)
}

export const FORM = `multipart/form-data; boundary=${BOUNDARY}`

export async function postForm(env: Bindings, parts: readonly Part[], headers: Record<string, string> = {}) {
  return await post(env, { body: formBytes(parts), type: FORM, headers })
}

export async function postJson(env: Bindings, value: unknown, headers: Record<string, string> = {}) {
  return await post(env, { body: JSON.stringify(value), type: 'application/json', headers })
}

export async function taskOf(response: Response): Promise<TaskRepresentation> {
  return (await response.json()) as TaskRepresentation
}

export async function problemOf(response: Response): Promise<Problem> {
  return (await response.json()) as Problem
}

/** A body that stops after its first bytes: `started` resolves when they are read, and `goOn` lets the rest come. */
export function haltedBody(bytes: Buffer) {
  const [started, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const body = streamOf(
    (async function* () {
      yield bytes.subarray(0, 3_000)
      started.resolve()
      await rest.promise
      yield bytes.subarray(3_000)
    })(),
  )
  return { body, started: started.promise, goOn: () => rest.resolve() }
}
