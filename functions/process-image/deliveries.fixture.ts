/** Messages as the queue trigger delivers them, and tasks for them to be about. */
import type { Bindings, Invocation, Measures } from '#shared/bindings.ts'
import { taskCreated } from '#shared/message.ts'
import { newTaskId, type Source, type Task, type TaskOptions } from '#shared/task.ts'
import { type InputFormat, MEDIA_TYPE, originalKey } from '#shared/variant.ts'
import { testInvocation } from '../../test/bindings.ts'
import { testTask } from '../../test/tasks.ts'
import app from './index.ts'
import { spec } from './rendering.fixture.ts'

export interface Delivered {
  status: number
  headers: Headers
  body: Record<string, unknown>
}

export interface EventFields {
  type?: string
  subject: string
  data?: unknown
}

export async function deliver(
  env: Bindings,
  { type = 'task.created', subject, data = {} }: EventFields,
): Promise<Delivered> {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': `${subject}.x`,
    'ce-type': type,
    'ce-source': '/',
    'ce-subject': subject,
  }
  const response = await app.request('/', { method: 'POST', headers, body: JSON.stringify(data) }, env)
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

/** The same bindings for another delivery. */
export function withInvocation<Env extends Bindings>(env: Env, overrides: Partial<Invocation>): Env {
  return { ...env, invocation: testInvocation(overrides) }
}

export interface NewTask {
  /** Stored as the original. */
  bytes?: Uint8Array
  format?: InputFormat
  options?: Partial<TaskOptions>
  source?: Partial<Source>
  task?: Partial<Task>
}

export async function createTask(
  env: Bindings,
  { bytes, format = 'jpeg', options, source, task }: NewTask,
): Promise<Task> {
  const plain = testTask({ id: newTaskId(), ...task })
  const stored = bytes ? await env.blobs.put(originalKey(plain.id, format), bytes) : null
  const known = stored
    ? { key: stored.key, bytes: stored.bytes, sha256: stored.sha256, mediaType: MEDIA_TYPE[format] }
    : {}
  const made: Task = {
    ...plain,
    source: { ...plain.source, ...known, ...source },
    options: { ...plain.options, variants: [spec(400, 400), spec(200, 200)], ...options },
  }
  await env.tasks.create(made, taskCreated(made.id))
  return made
}

type Measured = { [Name in keyof Measures]: [name: Name, value: number, labels: Measures[Name]] }[keyof Measures]

/** An invocation that remembers what it measured. */
export function measuringInvocation(overrides: Partial<Invocation> = {}) {
  const measured: Measured[] = []
  const measure: Invocation['measure'] = (name, value, labels) => void measured.push([name, value, labels] as Measured)
  return { measured, invocation: testInvocation({ ...overrides, measure }) }
}

/** Runs `event` once, while the first variant is stored. */
export function duringWork<Env extends Bindings>(env: Env, event: () => Promise<unknown>): Env {
  let due = true
  const put: Bindings['blobs']['put'] = async (...args) => {
    if (due) {
      due = false
      await event()
    }
    return await env.blobs.put(...args)
  }
  return { ...env, blobs: { ...env.blobs, put } }
}
