/** Bindings for a function's own tests: real memory and file drivers, and a queue that only records. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bindings, Invocation, Queue, Settings } from '#shared/bindings.ts'
import { BACKOFF_DEFAULT } from '#shared/consumer.ts'
import { DAY_MS, INPUT_BYTES_MAX, INPUT_PIXELS_MAX, OUTPUT_COST_MAX } from '#shared/limits.ts'
import type { Message } from '#shared/message.ts'
import { filesystemBlobs } from '../runtime/drivers/blobs/filesystem.ts'
import { memoryCache } from '../runtime/drivers/cache/memory.ts'
import { undiciFetch } from '../runtime/drivers/fetch/undici.ts'
import { memoryTasks } from '../runtime/drivers/tasks/memory.ts'

export interface RecordingQueue extends Queue {
  sent: Message[]
  removed: string[]
}

export function recordingQueue(): RecordingQueue {
  const sent: Message[] = []
  const removed: string[] = []
  return {
    sent,
    removed,
    send: async (message) => {
      if (!sent.some(({ id }) => id === message.id)) sent.push(message)
    },
    remove: async (_queue, id) => {
      removed.push(id)
    },
  }
}

export function testSettings(overrides: Partial<Settings> = {}): Settings {
  return {
    publicUrl: undefined,
    inputBytesMax: INPUT_BYTES_MAX,
    inputPixelsMax: INPUT_PIXELS_MAX,
    outputCostMax: OUTPUT_COST_MAX,
    presets: {},
    taskTtlMs: null,
    gcGraceMs: DAY_MS,
    negotiate: true,
    keyed: false,
    maxAttempts: 4,
    backoff: BACKOFF_DEFAULT,
    callbacks: false,
    webhookSecrets: [],
    ...overrides,
  }
}

export function testInvocation(overrides: Partial<Invocation> = {}): Invocation {
  const silent = (): void => {}
  return {
    id: 'inv-1',
    function: 'test',
    attempt: 1,
    deadline: Date.now() + 30_000,
    signal: new AbortController().signal,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    caller: { kind: 'open' },
    log: { debug: silent, info: silent, warn: silent, error: silent },
    taskId: silent,
    measure: silent,
    ...overrides,
  }
}

export interface TestBindings extends Bindings, AsyncDisposable {
  queue: RecordingQueue
  /** The temp folder that holds input/ and output/. */
  folder: string
}

/** `await using env = await testBindings()`; then `app.request('/tasks/…', {}, env)`. */
export async function testBindings(overrides: Partial<Bindings> = {}): Promise<TestBindings> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-test-'))
  const queue = recordingQueue()
  const tasks = memoryTasks({ send: (message) => queue.send(message) })
  const cache = memoryCache({ maxEntries: 1_000 })
  const blobs = filesystemBlobs({ inputPath: join(folder, 'input'), outputPath: join(folder, 'output') })
  const fetch = undiciFetch({ allowHosts: [] })
  return {
    tasks,
    blobs,
    cache,
    fetch,
    links: {
      of: async (task) => ({
        self: `/tasks/${task.id}`,
        events: `/tasks/${task.id}`,
        original: task.source.key === null ? null : `/tasks/${task.id}/original`,
        variants: Object.fromEntries(
          task.options.variants.map(({ name }) => [name, `/tasks/${task.id}/variants/${name}`]),
        ),
      }),
      sign: async (path) => path,
    },
    settings: testSettings(),
    invocation: testInvocation(),
    ...overrides,
    queue,
    folder,
    [Symbol.asyncDispose]: async () => {
      await tasks.close()
      await fetch.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
