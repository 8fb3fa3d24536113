/** A bundle of functions as a cloud target opens it, over memory stores and a queue that only records. */
import type { DeadLetter, Delivery, QueueDriver } from '#shared/consumer.ts'
import type { FunctionConfig } from '#shared/function.ts'
import { type App, createApp } from '#shared/http.ts'
import type { Message } from '#shared/message.ts'
import type { OpenStack } from '../../runtime/bindings.ts'
import { readConfig } from '../../runtime/config.ts'
import { memoryCache } from '../../runtime/drivers/cache/memory.ts'
import { deliveredQueue } from '../../runtime/drivers/queue/delivered.ts'
import { memoryTasks } from '../../runtime/drivers/tasks/memory.ts'
import { openStorage, storageOf } from '../../stacks/storage.ts'
import type { BundledFunction } from '../../runtime/targets/cloud/functions.ts'
import type { CloudOptions } from '../../runtime/targets/cloud/open.ts'
import { recordedLog } from '../runtime/log.ts'

export interface RecordedQueue extends QueueDriver {
  sent: Message[]
  buried: DeadLetter[]
  added: { delivery: Delivery; afterMs: number }[]
  /** Called before each of these is recorded. */
  fail: () => void
}

export function recordedQueue(): RecordedQueue {
  const sent: Message[] = []
  const buried: DeadLetter[] = []
  const added: RecordedQueue['added'] = []
  const queue: RecordedQueue = {
    ...deliveredQueue({
      platform: 'Test',
      send: async (message) => void sent.push(message),
      bury: async (letter) => {
        queue.fail()
        buried.push(letter)
      },
    }),
    later: async (delivery, afterMs) => {
      queue.fail()
      added.push({ delivery, afterMs })
    },
    sent,
    buried,
    added,
    fail: () => {},
  }
  return queue
}

export const QUEUE = 'image-processing'
export const QUEUE_CONFIG: FunctionConfig = {
  trigger: { type: 'queue', queue: QUEUE, concurrency: 2, maxAttempts: 2 },
  timeoutMs: 5_000,
}
export const TIMER_CONFIG: FunctionConfig = { trigger: { type: 'timer', everyMs: 15_000 }, timeoutMs: 5_000 }

/** A function whose `POST /` answers as told. */
export function answering(answer: (request: Request) => Response | Promise<Response>): App {
  const app = createApp()
  app.post('/', async (c) => await answer(c.req.raw))
  return app
}

/** Options for any target, and what is recorded while it runs. */
export function testCloud(functions: BundledFunction[], env: Record<string, string> = { AUTH: 'platform' }) {
  const queue = recordedQueue()
  const tasks = memoryTasks({ send: (message) => queue.send(message) })
  const log = recordedLog()
  const openStack: OpenStack = async (config) => ({
    tasks,
    queue,
    cache: memoryCache({ maxEntries: 10 }),
    rateLimit: null,
    ...(await openStorage(storageOf(config))),
    close: async () => {
      await tasks.close()
    },
  })
  const options: CloudOptions = { functions, config: readConfig(env), openStack, logger: log.logger }
  return { options, queue, tasks, log }
}
