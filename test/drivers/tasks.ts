/** What every task store must do, whatever it is made of. Each store's own test opens it and hands it over. */
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { Settlement, SettleOptions, TaskStore } from '#shared/bindings.ts'
import type { Message } from '#shared/message.ts'
import type { Task } from '#shared/task.ts'
import { CLAIM, completion, FAILURE, sampleMessage, sampleTask, times } from './samples.ts'
import { describeAfter } from './tasks-after.ts'
import { describeChanges } from './tasks-changes.ts'
import { describeCreate } from './tasks-create.ts'
import { describeLife } from './tasks-life.ts'
import { describeRecords } from './tasks-records.ts'

export interface OpenedTaskStore {
  tasks: TaskStore
  /** The same tasks as another process has them; `tasks` itself where only one process can have them. */
  second: TaskStore
  /** What was handed to the queue so far. */
  sent(): Promise<Message[]>
  close(): Promise<void>
}

/** What the parts of the suite share. */
export interface TaskSuite {
  opened(this: void): OpenedTaskStore
  create(this: void, overrides?: Partial<Task>): Promise<Task>
  settledTask(this: void, overrides?: Partial<Task>, result?: Settlement, then?: SettleOptions): Promise<Task>
  /** Of 20 callers at once, half through each store: how many were told true. */
  winners(this: void, run: (store: TaskStore) => Promise<boolean>): Promise<number>
}

function taskSuite(opened: () => OpenedTaskStore): TaskSuite {
  const create: TaskSuite['create'] = async (overrides = {}) => {
    const task = sampleTask(overrides)
    expect(await opened().tasks.create(task, sampleMessage(task))).toBe('created')
    return task
  }
  return {
    opened,
    create,
    settledTask: async (overrides = {}, result = FAILURE, then = {}) => {
      const { tasks } = opened()
      const { id } = await create(overrides)
      const claim = await tasks.claim(id, CLAIM)
      const settlement = result.status === 'completed' ? completion(id) : result
      expect(await tasks.settle(id, claim!.fence, settlement, then)).toBe(true)
      return (await tasks.get(id))!
    },
    winners: async (run) => {
      const { tasks, second } = opened()
      return (await times(20, (i) => run(i % 2 ? tasks : second))).filter(Boolean).length
    },
  }
}

export function describeTaskStore(name: string, open: () => Promise<OpenedTaskStore>): void {
  describe(`task store: ${name}`, () => {
    let opened: OpenedTaskStore
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    const suite = taskSuite(() => opened)
    describeCreate(suite)
    describeLife(suite)
    describeAfter(suite)
    describeRecords(suite)
    describeChanges(suite)
  })
}
