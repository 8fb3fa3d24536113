/** What a queue has in common with others whose platform delivers its messages: there is nothing to take and to count. */
import { type DeadLetter, NotCounted, type QueueDriver } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'

export interface Delivered {
  /** Named in errors: `Pub/Sub`. */
  platform: string
  send(message: Message): Promise<void>
  bury(letter: DeadLetter): Promise<void>
}

export type DeliveredQueue = QueueDriver & Pick<Delivered, 'bury'>

export function deliveredQueue({ platform, ...driver }: Delivered): DeliveredQueue {
  return {
    ...driver,
    // A message cannot be taken out by its id. What it asked for is gone when it comes, and that is a 2xx.
    remove: async () => {},
    consume: () => {
      throw new Error(`${platform} delivers its messages to the function: there is nothing to consume`)
    },
    stats: async (queue) => {
      throw new NotCounted(`${platform} does not say how many messages ${queue} has`)
    },
    deadLetters: async (queue) => {
      throw new Error(`the dead letters of ${queue} are read with the tools of ${platform}`)
    },
    close: async () => {},
  }
}
