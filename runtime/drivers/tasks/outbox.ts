import type { Message } from '#shared/message.ts'

/** Sends after the write, as far as it goes: the document is the outbox, its nextCheckAt has the sweeper send again. */
export function bestEffort(
  send: (message: Message) => Promise<void>,
  onError: (error: unknown) => void = () => {},
): (message?: Message) => Promise<void> {
  return async (message) => {
    try {
      if (message) await send(message)
    } catch (error) {
      // Not the caller's loss: what it asked for is written.
      onError(error)
    }
  }
}
