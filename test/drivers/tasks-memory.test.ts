import { expect, test } from 'vitest'
import type { Message } from '#shared/message.ts'
import { memoryTasks } from '../../runtime/drivers/tasks/memory.ts'
import { FAILURE, sampleMessage, sampleTask } from './samples.ts'
import { describeTaskStore } from './tasks.ts'

describeTaskStore('memory', async () => {
  const sent: Message[] = []
  const tasks = memoryTasks({
    send: async (message) => {
      sent.push(message)
    },
  })
  return { tasks, second: tasks, sent: async () => sent, close: () => tasks.close() }
})

test('a queue that is away fails neither create nor settle', async () => {
  const tasks = memoryTasks({ send: async () => Promise.reject(new Error('away')) })
  const task = sampleTask()
  const message = sampleMessage(task)
  expect(await tasks.create(task, message)).toBe('created')
  await tasks.claim(task.id, { attempt: 1, nextCheckAt: 1 })
  expect(await tasks.settle(task.id, 1, FAILURE, { message, nextCheckAt: 1 })).toBe(true)
  expect(await tasks.due(1, 1)).toHaveLength(1)
})
