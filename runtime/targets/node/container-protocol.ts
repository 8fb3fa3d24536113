/** What a container and the runtime say to each other beside the requests: over a channel of messages, and in two headers. */
import type { Invocation, Settings } from '#shared/bindings.ts'
import type { ContainerStorage } from '../../../stacks/storage.ts'
import type { Description } from '../../../console/describe.ts'
import type { CallMessage, NoteMessage, ResultMessage } from './rpc.ts'

/** A container's ends of its two socket pairs. */
export const CHANNEL_FD = 3
export const REQUESTS_FD = 4

/** What a container is told once, at its start. Of all secrets it gets at most the blob store's. */
export interface ContainerInit {
  index: string
  trigger: 'http' | 'queue' | 'timer'
  storage: ContainerStorage
  settings: Settings
  watch: boolean
}

/** What each invocation tells the container, in a header. */
export type InvocationHeader = Pick<Invocation, 'id' | 'function' | 'attempt' | 'deadline' | 'traceparent' | 'caller'>
export const INVOCATION_HEADER = 'x-revela-invocation'

/**
 * How many notes (log lines, a task id, measures) were sent before the Response. Requests and notes take different
 * ways, so the runtime waits for these before it writes the invocation's own line.
 */
export const NOTES_HEADER = 'x-revela-notes'

export type ChildMessage =
  | { type: 'ready'; description: Description }
  | { type: 'broken'; error: string }
  | { type: 'done'; invocation: string }
  | CallMessage
  | NoteMessage
export type ParentMessage = { type: 'init'; init: ContainerInit } | ResultMessage

/** As many as node:http takes: HTTP/2's own default is 128. */
export const HEADER_PAIRS_MAX = 2_000
