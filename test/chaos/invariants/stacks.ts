/** The stacks over which the invariants are tested: how a test looks into their stores, and what it can make them lose. */
import { describe, type TestOptions } from 'vitest'
import type { RuntimeBindings } from '../../../runtime/bindings.ts'
import { embedded } from './stack-embedded.ts'
import { servers } from './stack-servers.ts'

export interface Stack {
  name: string
  /** False where this machine has not what it needs. */
  isThere: boolean
  /** The test's own bindings on the stores of a folder, which are made for it. */
  open(folder: string): Promise<RuntimeBindings>
  /** What a victim's environment must have, so that it opens the same. */
  env(folder: string): Record<string, string>
  /** Once the bindings are closed. */
  close(folder: string): Promise<void>
  /** Ids of the messages that wait or run. */
  messages(folder: string): Promise<string[]>
  loseMessage(folder: string, id: string): Promise<void>
  loseQueue(folder: string): Promise<void>
  /** Unfinished tasks whose message was in the queue, and is not there, at one instant. */
  forgotten(folder: string): Promise<string[]>
}

/** A suite for each stack, skipped by name where that is not there; `$name` stands for the stack's. */
export function overStacks(title: string, options: TestOptions, define: (stack: Stack) => void): void {
  const [before, after] = title.split('$name')
  for (const stack of [embedded, servers]) {
    describe.skipIf(!stack.isThere)(`${before}${stack.name}${after}`, options, () => {
      define(stack)
    })
  }
}
