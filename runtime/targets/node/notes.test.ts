/** How much a container may note of one invocation, and that one which is honest says no more. */
import { describe, expect, it } from 'vitest'
import type { Bindings, Invocation } from '#shared/bindings.ts'
import { createMetrics } from '../../../console/metrics.ts'
import { testInvocation } from '../../../test/bindings.ts'
import { containerRuns } from './container-runs.ts'
import { NOTE_BYTES_MAX, NOTES_BYTES_MAX, NOTES_MAX } from './limits.ts'
import { remoteInvocation } from './remote-invocation.ts'
import type { NoteMessage } from './rpc.ts'

const ID = testInvocation().id
const LINE: NoteMessage = { type: 'note', invocation: ID, note: { log: 'info', message: 'x' } }
const silent = (): void => undefined

/** The runtime's side, with one invocation; `seen` are the lines that were logged. */
function listening() {
  const metrics = createMetrics()
  const seen: string[] = []
  const say = (message: string): void => void seen.push(message)
  const log = { debug: say, info: say, warn: say, error: say }
  const measure: Invocation['measure'] = (name, value, labels) => metrics.measure(name, value, { ...labels })
  const env = { invocation: testInvocation({ log, measure }) } as Bindings
  const runs = containerRuns({ allowed: [], send: silent, kill: silent, stopMs: 100, onRest: silent })
  runs.begin(env, undefined)
  const hear = (message: NoteMessage, bytes: number): void => runs.hear(message, bytes)
  return { hear, seen, metrics }
}

describe('the runtime', () => {
  it('hears NOTES_MAX notes of an invocation, and no more', () => {
    const { hear, seen } = listening()
    for (let i = 0; i < NOTES_MAX; i++) hear(LINE, 1)
    expect(() => hear(LINE, 1)).toThrow(/notes/)
    expect(seen.length).toBe(NOTES_MAX)
  })

  it('hears NOTES_BYTES_MAX bytes of them, and no more', () => {
    const { hear } = listening()
    for (let bytes = 0; bytes < NOTES_BYTES_MAX; bytes += NOTE_BYTES_MAX) hear(LINE, NOTE_BYTES_MAX)
    expect(() => hear(LINE, 1)).toThrow(/notes/)
  })

  it('hears one of NOTE_BYTES_MAX bytes, and none of more', () => {
    const { hear, seen } = listening()
    hear(LINE, NOTE_BYTES_MAX)
    expect(() => hear(LINE, NOTE_BYTES_MAX + 1)).toThrow(/note/)
    expect(seen.length).toBe(1)
  })

  it('makes no series of what a container made up', async () => {
    const { hear, metrics } = listening()
    const note = { measure: ['render_seconds', 1, { outcome: 'made up' }] } as never
    expect(() => hear({ ...LINE, note }, 1)).toThrow('Expected a note')
    expect(await (await metrics.registry()).metrics()).not.toContain('made up')
  })
})

describe('a container', () => {
  /** What it says is heard by the runtime, so that what it says too much is thrown. */
  function speaking() {
    const { hear, seen } = listening()
    const send = (message: NoteMessage): void => hear(message, Buffer.byteLength(JSON.stringify(message)))
    const { invocation, notes } = remoteInvocation(testInvocation(), new AbortController().signal, send)
    return { invocation, notes, seen }
  }

  it.each([
    ['many lines', 'x', NOTES_MAX / 2],
    ['long lines', 'x'.repeat(NOTE_BYTES_MAX - 200), Math.ceil(NOTES_BYTES_MAX / 2 / NOTE_BYTES_MAX)],
  ])('that logs %s says once that it drops the rest, and counts on', (_what, message, kept) => {
    const { invocation, notes, seen } = speaking()
    for (let i = 0; i < NOTES_MAX; i++) invocation.log.info(message)
    for (let i = 0; i < NOTES_MAX; i++) invocation.measure('derived_total', 1, { format: 'webp' })
    expect(seen.filter((line) => line !== message)).toEqual(['further log lines of this invocation are dropped'])
    expect(seen.length - 1).toBeGreaterThanOrEqual(kept)
    expect(seen.length - 1).toBeLessThanOrEqual(kept + 1)
    expect(notes()).toBe(NOTES_MAX)
  })

  it('cuts a line that is too long, and a task id', () => {
    const { invocation, seen } = speaking()
    invocation.log.info('x'.repeat(NOTE_BYTES_MAX))
    invocation.taskId('x'.repeat(NOTE_BYTES_MAX))
    expect(seen).toEqual(['x'.repeat(1_000)])
  })
})
