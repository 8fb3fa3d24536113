/** What a container and the runtime say to each other beside the requests: over the child's IPC channel, and in one header. */
import type { Invocation, Settings } from '#shared/bindings.ts'
import type { ContainerStorage } from '../../bindings.ts'
import type { Description } from '../../console/describe.ts'
import type { CallMessage, NoteMessage, ResultMessage } from './rpc.ts'

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

export type ChildMessage =
  | { type: 'ready'; description: Description }
  | { type: 'broken'; error: string }
  | { type: 'done'; invocation: string }
  | CallMessage
  | NoteMessage
export type ParentMessage = { type: 'init'; init: ContainerInit } | ResultMessage
