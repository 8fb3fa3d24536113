/** A task that has ended, written as the runtime writes it, for those who read it. */
import type { Task } from '#shared/task.ts'
import { newTaskId } from '#shared/task.ts'
import { type BlobKey, MEDIA_TYPE } from '#shared/variant.ts'
import { openLocal } from '../../stacks/local.ts'
import { readConfig } from '../../runtime/config.ts'
import type { Place } from './processes.ts'
import { taskCreated } from '#shared/message.ts'

const SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const SIDES = [
  [1024, 836],
  [800, 653],
] as const

/** A task as create-task makes it. */
export function newTask(id = newTaskId()): Task {
  const now = new Date().toISOString()
  const spec = { fit: 'inside', position: 'centre', format: 'jpeg', quality: null } as const
  return {
    id,
    schemaVersion: 1,
    status: 'pending',
    createdAt: now,
    updatedAt: now,
    completedAt: null,
    expiresAt: null,
    attempts: 0,
    progress: 0,
    source: {
      kind: 'upload',
      filename: 'photograph.jpg',
      url: null,
      key: `input/${id}/original.jpg` as BlobKey,
      mediaType: MEDIA_TYPE.jpeg,
      bytes: 829_183,
      width: 2725,
      height: 2225,
      frames: null,
      sha256: SHA256,
    },
    options: {
      variants: SIDES.map(([side]) => ({ name: `${side}x${side}`, width: side, height: side, ...spec })),
      format: 'jpeg',
      background: '#ffffff',
      original: 'keep',
      access: 'public',
    },
    metadata: {},
    placeholder: null,
    color: null,
    variants: [],
    warnings: [],
    error: null,
    callback: null,
    retryOf: null,
    fingerprint: null,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    deliveries: 0,
    uncounted: 0,
    lastError: null,
    nextCheckAt: Date.now() + 60_000,
  }
}

/** Writes one completed task into the store of a place, and returns its id. Nothing may run there yet. */
export async function seedFinishedTask({ env }: Place): Promise<string> {
  const bindings = await openLocal(readConfig(env))
  try {
    const task = newTask()
    const message = taskCreated(task.id)
    await bindings.tasks.create(task, message)
    await bindings.queue.remove(message.queue, message.id)
    const claimed = await bindings.tasks.claim(task.id, { attempt: 1, nextCheckAt: Date.now() + 60_000 })
    const variants = SIDES.map(([width, height]) => ({
      name: `${width}x${width}`,
      key: `output/${task.id}/${width}x${width}.jpg` as BlobKey,
      width,
      height,
      mediaType: MEDIA_TYPE.jpeg,
      bytes: 70_123,
      sha256: SHA256,
      derived: {},
    }))
    const look = { placeholder: '3OcRJYB4d3h/iIeHeEh3eIhw+j3A', color: '#a08060' }
    const result = {
      status: 'completed',
      variants,
      source: { ...task.source, frames: 1 },
      ...look,
      warnings: [],
    } as const
    if (!(await bindings.tasks.settle(task.id, claimed?.fence ?? 0, { ...result, variants, warnings: [] })))
      throw new Error('the task was not settled')
    return task.id
  } finally {
    await bindings.close()
  }
}
