/** Requests as clients send them, for this function's tests. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bindings } from '#shared/bindings.ts'
import type { TestBindings } from '../../test/bindings.ts'
import app from './index.ts'
import type { Upload } from './route.ts'

export async function ask(env: Bindings, body: unknown, query = ''): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text }
  return await app.request(`/uploads${query}`, init, env)
}

export async function asked(env: Bindings, members: Record<string, unknown>): Promise<Upload> {
  const response = await ask(env, members)
  if (response.status !== 201) throw new Error(`Expected an upload, got ${response.status} ${await response.text()}`)
  return (await response.json()) as Upload
}

/** A body of chunks comes without a length. */
export async function send(
  env: Bindings,
  id: string,
  body: Uint8Array<ArrayBuffer> | Iterable<Uint8Array> | AsyncIterable<Uint8Array> | null,
  headers: Record<string, string> = {},
): Promise<Response> {
  const whole = body instanceof Uint8Array || body === null
  const length: Record<string, string> = body instanceof Uint8Array ? { 'Content-Length': String(body.length) } : {}
  const init = {
    method: 'PUT',
    headers: { ...length, ...headers },
    body: whole ? body : ReadableStream.from(body),
    duplex: 'half',
  }
  return await app.request(`/uploads/${id}`, init as RequestInit, env)
}

export async function complete(env: Bindings, id: string, headers: Record<string, string> = {}): Promise<Response> {
  return await app.request(`/uploads/${id}`, { method: 'POST', headers }, env)
}

/** `410 task-deleted`. */
export async function answerOf(response: Response): Promise<string> {
  const { code } = (await response.json()) as { code: string }
  return `${response.status} ${code}`
}

/** What lies in the store for this upload or task, in order. */
export async function filesOf(env: TestBindings, id: string): Promise<string[]> {
  const names = await readdir(join(env.folder, 'input', id)).catch((): string[] => [])
  return names.sort()
}

/** Asks for an upload and sends its file: `uploadedBy(jpeg)(env)` resolves with the id. */
export function uploadedBy(usual: Uint8Array<ArrayBuffer>) {
  return async (env: TestBindings, file = usual, options: Record<string, unknown> = {}): Promise<string> => {
    const { id } = await asked(env, { bytes: file.length, ...options })
    const { status } = await send(env, id, file)
    if (status !== 201) throw new Error(`Expected the file to be taken, got ${status}`)
    return id
  }
}
