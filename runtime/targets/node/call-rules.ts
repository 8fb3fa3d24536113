/** Which calls of a container are answered: those that its function's config names, about its invocation's task alone. */
import type { Call } from '#shared/calls.ts'
import type { Message } from '#shared/message.ts'

/** `all`: what runs in a container for another reason than distrust, as everything does in development. */
export type AllowedCalls = 'all' | readonly Call[]

export type Args = readonly unknown[]
/** True when the call is about this task. What was sent may have any shape. */
type Rule = (task: string, args: Args) => boolean

const byId: Rule = (task, [id]) => id === task
/** Not by its subject alone: with another task's message id it would keep that task's own message out of the queue. */
function isMessageAbout(task: string, message: unknown): boolean {
  const { subject, id } = (message ?? {}) as Partial<Message>
  return subject === task && isPartOf(task, id)
}
function isPartOf(task: string, id: unknown): boolean {
  return typeof id === 'string' && id.startsWith(`${task}.`)
}
/** A key is a kind of thing, a colon, and what it is about. */
const byKey: Rule = (task, [key]) => {
  const about = typeof key === 'string' ? key.slice(key.indexOf(':') + 1) : undefined
  return about === task || isPartOf(task, about)
}

/** A call without a rule is about no one task: its name in the config decides alone. */
const RULES: Partial<Record<Call, Rule>> = {
  'tasks.create': (task, [made, message]) => idOf(made) === task && isMessageAbout(task, message),
  'tasks.get': byId,
  'tasks.claim': byId,
  'tasks.advance': byId,
  'tasks.settle': (task, [id, , , then]) => {
    const { message } = (then ?? {}) as { message?: unknown }
    return id === task && (message === undefined || isMessageAbout(task, message))
  },
  'tasks.recordDerived': byId,
  'tasks.recordCallback': byId,
  'tasks.discardOriginal': byId,
  'tasks.delete': byId,
  'tasks.postpone': byId,
  'tasks.changes': byId,
  'queue.send': (task, [message]) => isMessageAbout(task, message),
  'queue.remove': (task, [, id]) => isPartOf(task, id),
  'cache.get': byKey,
  'cache.add': byKey,
  'cache.set': byKey,
  'links.of': (task, [of]) => idOf(of) === task,
  'links.sign': (task, [path]) => typeof path === 'string' && path.split('/')[2] === task,
}

function idOf(value: unknown): unknown {
  return ((value ?? {}) as { id?: unknown }).id
}

/** As a function reads it: a task id in a path may be percent-encoded. */
function decoded(task: string): string {
  try {
    return decodeURIComponent(task)
  } catch {
    return task
  }
}

/** Why a call is refused, or null. `task`: what the invocation is about; undefined where its trigger names no task. */
export function refusalOf(allowed: AllowedCalls, call: string, args: Args, task: string | undefined): string | null {
  if (allowed === 'all') return null
  if (!allowed.some((known) => known === call)) return `${call} is not among the calls that config.ts names`
  const rule = RULES[call as Call]
  if (task === undefined || !rule || rule(decoded(task), args)) return null
  return `${call} was about another task than the invocation`
}
