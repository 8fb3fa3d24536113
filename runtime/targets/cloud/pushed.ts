/** The event endpoint of a bundle: what a platform pushes, by HTTP, to its queue functions and its timer. */
import { type LoadedFunction } from '../../loader.ts'
import type { Message } from '#shared/message.ts'
import { Problem } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { answerOf, refusalOf } from './answer.ts'
import { bodyOf } from './http-event.ts'
import type { CloudFunction, Reception } from './open.ts'

export type Pushed =
  | ({ kind: 'message'; message: Message } & Omit<Reception, 'remainingMs'>)
  /** `at`: the scheduled instant, Unix ms. */
  | { kind: 'tick'; at: number }
  /** It came on a queue, and is nothing that a function could read. */
  | { kind: 'unreadable'; id: string; text: string }

export interface PushedRequest {
  headers: Headers
  body: Buffer
  /** The queue whose messages come here, for what does not say it itself; null where the bundle has no queue function. */
  queue: string | null
  hasTimer: boolean
}

/** Throws Problem `invalid-request` for what is no event. */
export type ReadPushed = (request: PushedRequest) => Pushed

function queuesOf(functions: readonly LoadedFunction[]): string[] {
  return functions.flatMap(({ config: { trigger } }) => (trigger.type === 'queue' ? [trigger.queue] : []))
}

/** Null where no function of the bundle is started by events. */
export function pushEndpoint(cloud: CloudFunction, read: ReadPushed) {
  const { functions, logger } = cloud
  const queues = queuesOf(functions)
  const hasTimer = functions.some(({ config }) => config.trigger.type === 'timer')
  if (queues.length === 0 && !hasTimer) return null

  const take = async (pushed: Pushed, queue: string | null, remainingMs: number): Promise<Response> => {
    if (pushed.kind === 'tick') {
      if (Number.isNaN(pushed.at)) throw new Problem('invalid-request', 'The instant of the tick is no time.')
      // To the second: who tells the instant may tell it a moment late.
      await cloud.tick(Math.round(pushed.at / SECOND_MS) * SECOND_MS, remainingMs)
      return new Response(null, { status: 204 })
    }
    if (queue === null) throw new Problem('invalid-request', 'No function here takes messages.')
    if (pushed.kind === 'unreadable') return answerOf(await cloud.refuse(queue, pushed.id, pushed.text))
    const { message, kind: _, ...reception } = pushed
    if (!queues.includes(message.queue)) {
      throw new Problem('invalid-request', `No function here takes messages of ${message.queue}.`)
    }
    return answerOf(await cloud.deliver(message, { ...reception, remainingMs }))
  }

  return {
    /** Events come to the root, where no function has a route. */
    takes: (request: Request, path: string): boolean => request.method === 'POST' && path === '/',
    async answer(request: Request, remainingMs: number): Promise<Response> {
      const queue = queues.length === 1 ? queues[0]! : null
      try {
        const pushed = read({ headers: request.headers, body: await bodyOf(request), queue, hasTimer })
        return await take(pushed, pushed.kind === 'message' ? pushed.message.queue : queue, remainingMs)
      } catch (error) {
        logger.error({ err: error }, 'event refused')
        return refusalOf(error, '/')
      }
    },
  }
}
