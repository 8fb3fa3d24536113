/** What a container can ask of the runtime. Of these a function's config names those that it needs, and gets no other. */
import type { Bindings } from './bindings.ts'

/** Methods that are asked and answered once. An allow-list, since what decodes hostile pixels may say anything. */
export const METHODS = {
  tasks: [
    'create',
    'get',
    'list',
    'claim',
    'advance',
    'settle',
    'recordDerived',
    'recordCallback',
    'discardOriginal',
    'delete',
    'due',
    'postpone',
    'expired',
    'claimTick',
    'reserveKey',
    'renewKey',
    'releaseKey',
    'prune',
    'readCursor',
    'writeCursor',
  ],
  queue: ['send', 'remove'],
  cache: ['get', 'add', 'set'],
  links: ['of', 'sign'],
} as const satisfies { [Name in keyof Bindings]?: readonly (keyof Bindings[Name])[] }

export type RemoteBinding = keyof typeof METHODS

type CallOf<Name extends RemoteBinding> = `${Name}.${(typeof METHODS)[Name][number]}`

export type Call = { [Name in RemoteBinding]: CallOf<Name> }[RemoteBinding] | 'tasks.changes'

const once = Object.entries(METHODS).flatMap(([name, methods]) => methods.map((method) => `${name}.${method}` as Call))

export const CALLS: readonly Call[] = [...once, 'tasks.changes']
