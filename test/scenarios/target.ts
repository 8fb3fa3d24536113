/** Where the scenarios run: a place that can be started with an environment, and is spoken to by HTTP alone. */

export interface Running {
  /** No slash at its end. */
  url: string
  /** Every stored file, unfinished ones too, as `input/{taskId}/original.jpg`, in order. */
  files: () => Promise<string[]>
  /** Loses one stored file, named as `files` does. Left out where a target cannot do that. */
  lose?: (file: string) => Promise<void>
  /** Takes a store away until what it resolves with is called. Null where a target cannot do that. */
  outage: {
    blobs: (() => Promise<() => Promise<void>>) | null
    tasks: (() => Promise<() => Promise<void>>) | null
  }
  /** Ends it as an operator would, and removes what it stored; rejects when it does not end cleanly. */
  stop(): Promise<void>
}

export interface Target {
  name: string
  /** Resolves when it answers and its functions are loaded. `env` is all that is configured. */
  start(env: Record<string, string>): Promise<Running>
}
