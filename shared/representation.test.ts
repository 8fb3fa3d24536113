import { expect, test } from 'vitest'
import { testTask } from '../test/tasks.ts'
import { represent, TaskSchema } from './representation.ts'

const links = { of: async () => ({ self: '/self', events: '/events', original: null, variants: {} }) }

test('how the callback fares is shown, its URL is not', async () => {
  const how = { status: 'pending', attempts: 1, lastStatus: 500 } as const
  const task = testTask({ callback: { url: 'https://a.example/?token=secret', ...how } })
  const shown = await represent(task, links)
  expect(shown.callback).toEqual(how)
  expect(TaskSchema.parse(shown)).toEqual(shown)
})
