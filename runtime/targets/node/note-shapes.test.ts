import { expect, it } from 'vitest'
import { NOTE_TASK_CHARS_MAX } from './limits.ts'
import { checkNote } from './note-shapes.ts'

it.each([
  { log: 'info', message: 'said' },
  { log: 'error', message: '', fields: { err: { name: 'Error' }, list: [1, null] } },
  { taskId: 'a'.repeat(NOTE_TASK_CHARS_MAX) },
  { measure: ['render_seconds', 0, { outcome: 'completed' }] },
  { measure: ['tasks_total', 1, { outcome: 'failed', code: 'image-corrupt' }] },
  { measure: ['tasks_total', 1, { outcome: 'completed', code: '' }] },
  { measure: ['derived_total', 1, { format: 'avif' }] },
  { measure: ['swept_total', 1_000, { action: 'collected' }] },
  { measure: ['callbacks_total', 1, { outcome: 'retried' }] },
])('a note is taken as it is: %j', (note) => {
  expect(checkNote(note)).toEqual(note)
})

it.each([
  null,
  {},
  { log: 'constructor', message: '' },
  { log: 'info', message: 1 },
  { log: 'info', message: '', fields: [] },
  { log: 'info', message: '', taskId: 'both' },
  { taskId: 1 },
  { taskId: 'a'.repeat(NOTE_TASK_CHARS_MAX + 1) },
  { measure: ['render_seconds', 1, { outcome: 'made up' }] },
  { measure: ['render_seconds', 1, { outcome: 'failed', more: 'x' }] },
  { measure: ['render_seconds', 1] },
  { measure: ['render_seconds', -1, { outcome: 'failed' }] },
  { measure: ['render_seconds', Infinity, { outcome: 'failed' }] },
  { measure: ['render_seconds', null, { outcome: 'failed' }] },
  { measure: ['tasks_total', 1, { outcome: 'failed', code: 'made-up' }] },
  { measure: ['derived_total', 1, { format: 'jpeg' }] },
  { measure: ['swept_total', 1, { action: 'toString' }] },
  { measure: ['toString', 1, {}] },
])('a note that no honest container sends is refused: %j', (note) => {
  expect(() => checkNote(note)).toThrow('Expected a note')
})
