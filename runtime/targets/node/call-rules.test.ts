import { describe, expect, it } from 'vitest'
import { CALLS, type Call, METHODS } from '#shared/calls.ts'
import { taskCreated, taskSettled } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import config from '../../../functions/process-image/config.ts'
import { checkConfig } from '../../loader.ts'
import { refusalOf } from './call-rules.ts'

const mine = newTaskId()
const other = newTaskId()

const settled = (message?: unknown): unknown[] => [mine, 1, { status: 'failed' }, { message }]
/** Of each call that is about a task: arguments about this one, and some that are not. */
const ABOUT: Partial<Record<Call, { good: unknown[][]; bad: unknown[][] }>> = {
  'tasks.create': {
    good: [[{ id: mine }, taskCreated(mine)]],
    bad: [[{ id: other }, taskCreated(mine)], [{ id: mine }, taskCreated(other)], [{ id: mine }], []],
  },
  'tasks.settle': {
    good: [settled(), settled(taskSettled(mine)), [mine, 1, {}]],
    bad: [[other, 1, {}], settled(taskSettled(other)), settled(null), settled(1)],
  },
  'queue.send': {
    good: [[taskSettled(mine)]],
    // With the id of another task's message it would take that message's place.
    bad: [[taskSettled(other)], [{ ...taskSettled(other), subject: mine }], [{ ...taskSettled(mine), id: 1 }], [null]],
  },
  'queue.remove': {
    good: [['image-processing', `${mine}.created`]],
    bad: [['image-processing', `${other}.created`], [mine]],
  },
  'links.of': { good: [[{ id: mine }]], bad: [[{ id: other }], [null]] },
  'links.sign': {
    good: [[`/uploads/${mine}`], [`/tasks/${mine}/original`]],
    bad: [[`/tasks/${other}`], [`/tasks/${other}/${mine}`], [`/tasks/${mine}0`], [undefined], [{ id: mine }]],
  },
}
for (const name of METHODS.cache) {
  const bad = [[`task:${other}`], [`task:${other}:${mine}`], [`${mine}0`], [`task:${mine}0`], [undefined], [{}]]
  ABOUT[`cache.${name}`] = { good: [[`task:${mine}`], [`derived:${mine}.800x800.webp`]], bad }
}
/** Not about any one task: which of them a function may call is its config's to say. */
const OF_NONE: Call[] = [
  'tasks.list',
  'tasks.due',
  'tasks.expired',
  'tasks.claimTick',
  'tasks.reserveKey',
  'tasks.renewKey',
  'tasks.releaseKey',
  'tasks.prune',
  'tasks.readCursor',
  'tasks.writeCursor',
]

describe('a call of a container', () => {
  it.each(CALLS.filter((call) => !OF_NONE.includes(call)))('%s is answered for its own task alone', (call) => {
    const { good, bad } = ABOUT[call] ?? { good: [[mine]], bad: [[other], [undefined], [{ toString: () => mine }]] }
    const ask = (args: unknown[], task?: string) => refusalOf([call], call, args, task)
    for (const args of good) expect(ask(args, mine)).toBeNull()
    for (const args of bad) expect(ask(args, mine)).toBe(`${call} was about another task than the invocation`)
    for (const args of [...good, ...bad]) expect(ask(args)).toBeNull()
  })

  it.each(OF_NONE)('%s needs its name in the config, and no more', (call) => {
    expect(refusalOf([call], call, [], mine)).toBeNull()
  })

  it('that is not named is refused, whatever it is about', () => {
    for (const call of CALLS) {
      expect(refusalOf([], call, [mine], mine)).toBe(`${call} is not among the calls that config.ts names`)
      expect(refusalOf('all', call, [other], mine)).toBeNull()
    }
  })

  it('that decodes pictures has no name for other tasks, messages, keys and links', () => {
    const { calls } = checkConfig(config)
    const more: Call[] = ['tasks.create', 'tasks.delete', 'queue.send', 'queue.remove', 'links.of', 'links.sign']
    const ofOthers = new Set([...OF_NONE, ...more])
    expect(calls.filter((call) => ofOthers.has(call))).toEqual([])
  })

  it('is one that there is: config.ts with another is refused', () => {
    expect(() => checkConfig({ ...config, calls: ['tasks.close'] })).toThrow(/^config.ts: calls.0: /)
  })
})
