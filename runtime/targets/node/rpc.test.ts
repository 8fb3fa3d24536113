import { describe, expect, it } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { newTaskId } from '#shared/task.ts'
import type { AllowedCalls } from './call-rules.ts'
import { encodeFrame, frameReader } from './frames.ts'
import { CACHE_WRITES_MAX } from './limits.ts'
import { remoteBindings, serveCalls } from './rpc.ts'
import type { CallMessage, NoteMessage, ResultMessage } from './rpc.ts'

function liveOf(env: Partial<Bindings>, task?: string) {
  return (id: string) => (id === 'alive' ? { env: env as Bindings, task } : undefined)
}

/** Both sides, each message as a frame. */
function wired(env: Partial<Bindings>) {
  const copy = <T>(message: T): T => {
    let read: unknown
    frameReader((value) => (read = value))(encodeFrame(message))
    return read as T
  }
  let result: (message: ResultMessage) => void = () => undefined
  const calls = serveCalls({ allowed: 'all', liveOf: liveOf(env), reply: (message) => result(copy(message)) })
  const remote = remoteBindings((message: CallMessage | NoteMessage) => {
    if (message.type === 'call') calls.call(copy(message))
  })
  result = (message) => remote.result(message)
  return { calls, remote }
}

interface Narrowed {
  allowed?: AllowedCalls
  task?: string
  env?: Partial<Bindings>
}

/** What the runtime replies to a message, also to one that no honest container sends. */
async function replyTo(message: Partial<CallMessage>, narrowed: Narrowed = {}): Promise<ResultMessage> {
  const { allowed = 'all', task, env = {} } = narrowed
  return await new Promise((resolve) => {
    const calls = serveCalls({ allowed, liveOf: liveOf(env, task), reply: resolve })
    calls.call({ type: 'call', call: 1, invocation: 'alive', args: [], ...message } as CallMessage)
  })
}

describe('calls from a container', () => {
  it('carry what is JSON unharmed, both ways, and nothing that was left out', async () => {
    const seen: unknown[] = []
    const value = { text: 'ü\n', list: [1.5, null, [true]], more: { a: '' } }
    const cache = {
      get: async (key: string) => (key === 'none' ? undefined : { key, ...value }),
      set: async (...args: unknown[]) => void seen.push(args),
      add: async () => undefined,
    }
    const tasks = { settle: async (...args: unknown[]) => seen.push(args) > 0 } as never
    const remote = wired({ cache, tasks }).remote.of('alive')
    await remote.cache.set('a', value, 6)
    await remote.tasks.settle('b', 1, { status: 'failed' } as never, undefined)
    expect(seen).toStrictEqual([
      ['a', value, 6],
      ['b', 1, { status: 'failed' }],
    ])
    expect(await remote.cache.get('c')).toStrictEqual({ key: 'c', ...value })
    expect(await remote.cache.get('none')).toBeUndefined()
  })

  it.each([
    ['a binding that is none', 'settings', 'webhookSecrets'],
    ['a binding of the child itself', 'blobs', 'put'],
    ['a method that is none', 'tasks', 'close'],
    ['what every object has', 'tasks', 'constructor'],
    ['what every map has', 'constructor', 'name'],
    ['a prototype', '__proto__', 'toString'],
  ])('refuses %s', async (_what, binding, method) => {
    const reply = await replyTo({ binding: binding as 'tasks', method })
    expect(reply.error?.message).toBe(`${binding}.${method} is not a binding's method`)
  })

  it('refuses an invocation that is not, or no longer, alive', async () => {
    const reply = await replyTo({ invocation: 'over', binding: 'tasks', method: 'get' })
    expect(reply.error?.name).toBe('InvocationEnded')
  })

  it('answers with an error where the value cannot be sent', async () => {
    const { remote } = wired({ cache: { get: async () => 1n, set: async () => {}, add: async () => {} } })
    await expect(remote.of('alive').cache.get('a')).rejects.toThrow(/serialize a BigInt/)
  })

  it('rejects with the Problem of the binding, all that it says included', async () => {
    const errors = [{ pointer: 'a', detail: 'Expected b.' }]
    const problem = new Problem('unavailable', 'Away.', { headers: { 'Retry-After': '2' }, errors, unanswered: true })
    const { remote } = wired({ cache: { get: async () => await Promise.reject(problem) } as never })
    const rejected = await remote
      .of('alive')
      .cache.get('a')
      .catch((error: unknown) => error)
    expect(rejected).toBeInstanceOf(Problem)
    const { code, status, headers, unanswered, message } = problem
    expect(rejected).toMatchObject({ code, status, headers, errors, unanswered, message })
  })

  it('rejects a call whose arguments cannot be sent', async () => {
    const { remote } = wired({})
    await expect(remote.of('alive').cache.set('a', 1n, 5)).rejects.toThrow(/serialize a BigInt/)
  })

  describe('of a function that names what it needs', () => {
    const named: Narrowed = { allowed: ['tasks.get'], task: 'mine', env: { tasks: { get: async () => null } as never } }

    it('are answered where they are named, and about its own task', async () => {
      expect(await replyTo({ binding: 'tasks', method: 'get', args: ['mine'] }, named)).toMatchObject({ value: null })
    })

    it.each([
      ['is not named', 'tasks', 'list', [{ limit: 1 }], 'tasks.list is not among the calls that config.ts names'],
      ['is about another task', 'tasks', 'get', ['other'], 'tasks.get was about another task than the invocation'],
      [
        'waits for changes',
        'changes',
        'open',
        [1, 'mine'],
        'tasks.changes is not among the calls that config.ts names',
      ],
    ] as const)('are refused what %s', async (_what, binding, method, args, reason) => {
      const reply = await replyTo({ binding, method, args: [...args] }, named)
      expect(reply).toMatchObject({ error: { message: reason } })
    })

    it('are refused arguments that the binding does not take', async () => {
      const settle = { binding: 'tasks', method: 'settle', args: ['mine', { $gt: 0 }, { status: 'failed' }] } as const
      const reply = await replyTo({ ...settle, args: [...settle.args] }, { ...named, allowed: ['tasks.settle'] })
      expect(reply.error?.message).toMatch(/^tasks\.settle was called with a fence that it does not take: /)
    })

    it('are refused more writes to the cache than one invocation has to make', async () => {
      const mine = newTaskId()
      const written: string[] = []
      const set = async (key: string): Promise<void> => void written.push(key)
      const env: Partial<Bindings> = { cache: { set, get: async () => undefined, add: async () => undefined } }
      const live = { env: env as Bindings, task: mine }
      const { promise, resolve } = Promise.withResolvers<ResultMessage>()
      const reply = (result: ResultMessage): void => {
        if (result.error) resolve(result)
      }
      const calls = serveCalls({ allowed: ['cache.set'], liveOf: () => live, reply })
      for (let call = 1; call <= CACHE_WRITES_MAX + 1; call++) {
        const args = [`derived:${mine}.${call}.webp`, 'failed', 1]
        calls.call({ type: 'call', call, invocation: 'alive', binding: 'cache', method: 'set', args })
      }
      expect(await promise).toMatchObject({
        call: CACHE_WRITES_MAX + 1,
        error: { message: expect.stringContaining('writes') as unknown },
      })
      await expect.poll(() => written.length).toBe(CACHE_WRITES_MAX)
    })

    it('are refused the changes of another task', async () => {
      const open = { binding: 'changes', method: 'open', args: [1, 'other'] } as const
      const reply = await replyTo({ ...open, args: [...open.args] }, { ...named, allowed: ['tasks.changes'] })
      expect(reply.error?.message).toBe('tasks.changes was about another task than the invocation')
    })
  })
})
