/** Where the scenarios run: a place that can be started with an environment, and is spoken to by HTTP alone. */
import type { Exceptions } from './exceptions.ts'

export interface Running {
  /** No slash at its end. */
  url: string
  /** Every stored file, unfinished ones too, as `input/{taskId}/original.jpg`, in order. */
  files: () => Promise<string[]>
  /** Loses one stored file, named as `files` does. Left out where a target cannot do that. */
  lose?: (file: string) => Promise<void>
  /** Messages about images that are in this state, where the metrics at `url` do not tell of them. */
  messages?: (state: 'waiting' | 'active') => Promise<number>
  /** Takes a store away until what it resolves with is called. Null where a target cannot do that. */
  outage: {
    blobs: (() => Promise<() => Promise<void>>) | null
    /** Of the blobs, as an unmounted volume leaves them: empty folders. Left out where a target has no volume. */
    volume?: () => Promise<() => Promise<void>>
    tasks: (() => Promise<() => Promise<void>>) | null
  }
  /** Ends it as an operator would, and removes what it stored; rejects when it does not end cleanly. */
  stop(): Promise<void>
}

export interface Target {
  name: string
  /** What it cannot do. */
  exceptions?: Exceptions
  /** Processes that work on messages, each with CONCURRENCY slots. Default 1. */
  workers?: number
  /** Resolves when it answers and its functions are loaded. `env` is all that is configured. */
  start(env: Record<string, string>): Promise<Running>
}
