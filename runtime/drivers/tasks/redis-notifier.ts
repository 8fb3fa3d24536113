/** Tells the other processes of changes over Redis pub/sub. Best effort in both directions, and says when it hears nothing. */
import { SECOND_MS } from '#shared/limits.ts'
import type { RedisClient, RedisConnections } from '../redis/connections.ts'
import type { Notifier } from './notifier.ts'

/** Between two looks whether Redis still answers: a connection may be open to one that does not. */
const HEARTBEAT_MS = 2 * SECOND_MS

export interface RedisNotifierOptions {
  redis: RedisConnections
  /** Default: one for each database. */
  channel?: string
}

/** Redis has one space of channels for all its databases. */
function channelOf({ options }: RedisClient): string {
  return `revela:${options.db ?? 0}:tasks`
}

/** Subscribes when someone waits for the first time: a worker never does. */
export function redisNotifier({ redis, channel }: RedisNotifierOptions): Notifier & { close(): void } {
  // By task; an object for each, since two may wait with one function.
  const waiting = new Map<string, Set<{ onChange: () => void }>>()
  let opening: Promise<void> | undefined
  let heartbeat: NodeJS.Timeout | undefined
  let connected = false

  /** Whatever was told while nothing was heard is lost: everyone looks for themselves. */
  function hearing(): void {
    connected = true
    for (const ofTask of waiting.values()) for (const { onChange } of ofTask) onChange()
  }

  function deaf(): void {
    connected = false
  }

  async function listen(client: RedisClient): Promise<void> {
    await client.subscribe(channel ?? channelOf(client))
    hearing()
  }

  async function beat(client: RedisClient): Promise<void> {
    try {
      await client.ping()
      if (!connected && client.status === 'ready') await listen(client)
    } catch {
      deaf()
    }
  }

  async function open(): Promise<void> {
    const client = await redis.subscribing()
    client.on('ready', () => void listen(client).catch(deaf))
    client.on('close', deaf)
    client.on('message', (_channel: string, taskId: string) => {
      for (const { onChange } of waiting.get(taskId) ?? []) onChange()
    })
    heartbeat = setInterval(() => void beat(client), HEARTBEAT_MS).unref()
  }

  async function publish(taskId: string): Promise<void> {
    // Nobody waits for it: a Redis that is slow need not lose it.
    const client = await redis.answering()
    await client.publish(channel ?? channelOf(client), taskId)
  }

  return {
    publish: (taskId) => void publish(taskId).catch(() => undefined),
    subscribe(taskId, onChange) {
      opening ??= open().catch(() => undefined)
      const ofTask = waiting.get(taskId) ?? new Set()
      const waiter = { onChange }
      waiting.set(taskId, ofTask.add(waiter))
      return () => {
        ofTask.delete(waiter)
        if (ofTask.size === 0 && waiting.get(taskId) === ofTask) waiting.delete(taskId)
      }
    },
    get connected() {
      return connected
    },
    close() {
      clearInterval(heartbeat)
      deaf()
    },
  }
}
