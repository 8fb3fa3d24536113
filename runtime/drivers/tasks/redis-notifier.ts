/** Tells the other processes of changes over Redis pub/sub. Best effort in both directions, and says when it hears nothing. */
import { SECOND_MS } from '#shared/limits.ts'
import type { RedisClient, RedisConnections } from '../redis/connections.ts'
import type { Notifier } from './notifier.ts'

/** Between two looks whether Redis still answers: a connection may be open to one that does not. */
const HEARTBEAT_MS = 2 * SECOND_MS

export interface RedisNotifierOptions {
  redis: RedisConnections
  /** Redis has one space of channels for all its databases. */
  channel?: string
}

/** Subscribes when someone waits for the first time: a worker never does. */
export function redisNotifier(options: RedisNotifierOptions): Notifier & { close(): void } {
  const { redis, channel = `revela:${redis.aside.options.db ?? 0}:tasks` } = options
  // By task; an object for each, since two may wait with one function.
  const waiting = new Map<string, Set<{ onChange: () => void }>>()
  let subscriber: RedisClient | undefined
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

  async function beat(client: RedisClient): Promise<void> {
    try {
      await client.ping()
      if (!connected && client.status === 'ready') await listen(client)
    } catch {
      deaf()
    }
  }

  async function listen(client: RedisClient): Promise<void> {
    await client.subscribe(channel)
    hearing()
  }

  function open(): RedisClient {
    const client = redis.subscribing()
    client.on('ready', () => void listen(client).catch(deaf))
    client.on('close', deaf)
    client.on('message', (_channel: string, taskId: string) => {
      for (const { onChange } of waiting.get(taskId) ?? []) onChange()
    })
    heartbeat = setInterval(() => void beat(client), HEARTBEAT_MS).unref()
    return client
  }

  return {
    publish(taskId) {
      redis.aside.publish(channel, taskId).catch(() => undefined)
    },
    subscribe(taskId, onChange) {
      subscriber ??= open()
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
