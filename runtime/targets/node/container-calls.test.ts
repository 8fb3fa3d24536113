import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Problem, type ProblemCode } from '#shared/errors.ts'
import { KIB } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { containedFunction, type InvokedFunction } from '../../../test/runtime/function.ts'
import { until } from '../../../test/runtime/until.ts'
import { testTask } from '../../../test/tasks.ts'
import { waiterCount } from '../../guard.ts'

const TASK_OF_NOTES = '0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee'

describe('bindings in a container', () => {
  let probe: InvokedFunction
  beforeAll(async () => {
    probe = await containedFunction('probe', { timeoutMs: 20_000, pool: { max: 2 } })
  })
  afterAll(async () => await probe[Symbol.asyncDispose]())

  async function json(path: string, init?: RequestInit): Promise<unknown> {
    const response = await probe.call(path, init)
    expect(response.status).toBe(200)
    return await response.json()
  }

  it("writes into the runtime's own store and queue", async () => {
    const task = testTask()
    const answer = await json('/probe/create', { method: 'POST', body: JSON.stringify(task) })
    expect(answer).toEqual({ created: 'created', again: 'exists', read: task })
    expect(await probe.bindings.tasks.get(task.id)).toEqual(task)
    expect(probe.bindings.queue.sent.map(({ id }) => id)).toContain(`${task.id}.created`)
  })

  it('reaches queue, cache, cursors and links', async () => {
    const answer = await json('/probe/everything')
    expect(answer).toEqual({ cached: { b: 1 }, cursor: 'here', self: `/tasks/${TASK_OF_NOTES}` })
    expect(await probe.bindings.cache.get('a')).toEqual({ b: 1 })
    expect(probe.bindings.queue.removed).toEqual([`${TASK_OF_NOTES}.created`])
  })

  it.each([
    ['the task is done', '', [0, 0.5, 1]],
    ['the loop breaks', '?end=break', [0]],
    ['the signal aborts', '?end=abort', [0]],
  ])('iterates changes until %s, and leaves no listener in the runtime', async (_what, query, progress) => {
    const { tasks } = probe.bindings
    const task = testTask({ id: newTaskId() })
    await tasks.create(task, { queue: 'q', id: task.id, type: 't', subject: task.id, time: '', data: {} })
    const seen = json(`/probe/changes/${task.id}${query}`)
    const sees = (now: number) =>
      probe.line(`${now} is seen`, (line) => line.msg === 'seen' && line.task === task.id && line.progress === now)
    await sees(0)
    const claimed = await tasks.claim(task.id, { attempt: 1, nextCheckAt: Date.now() + 60_000 })
    for (const now of progress.slice(1)) {
      await tasks.advance(task.id, claimed!.fence, { progress: now })
      await sees(now)
    }
    expect([...new Set((await seen) as number[])]).toEqual(progress)
    await until('no one waits', () => waiterCount() === 0)
  })

  it.each([
    ['between two changes', '?end=hang'],
    ['while it waits for one', ''],
  ])('leaves no listener behind when it is killed at its deadline %s', async (_what, query) => {
    const task = testTask()
    await probe.bindings.tasks.create(task, {
      queue: 'q',
      id: task.id,
      type: 't',
      subject: task.id,
      time: '',
      data: {},
    })
    await (await probe.call('/probe/ok')).text()
    probe.fn.config.timeoutMs = 2_000
    const response = probe.call(`/probe/changes/${task.id}${query}`)
    probe.fn.config.timeoutMs = 20_000
    await until('it listens', () => waiterCount() === 1)
    expect((await response).status).toBe(504)
    await until('no one waits', () => waiterCount() === 0)
  })

  it('refuses the calls of an invocation that is over', async () => {
    const response = await probe.call('/probe/late')
    // Also while its answer, which the child sent as a whole, is still being read.
    await until('the runtime has refused', async () => (await json('/probe/late/said')) === 'InvocationEnded')
    expect(await probe.bindings.tasks.readCursor('late')).toBe(null)
    expect((await response.text()).length).toBe(40 * KIB)
  })

  it('keeps code, status, headers and errors of a Problem, and of another error its message alone', async () => {
    const { tasks } = probe.bindings
    const errors = [{ pointer: '/a', detail: 'b' }]
    const thrown: Record<string, Error> = {
      problem: new Problem('unavailable' satisfies ProblemCode, 'away', {
        headers: { 'Retry-After': '9' },
        errors,
        status: 409,
      }),
      other: new RangeError('out of range'),
    }
    const spy = vi.spyOn(tasks, 'get').mockImplementation((id) => Promise.reject(thrown[id]!))
    const problem = await json('/probe/error/problem')
    const headers = { 'Retry-After': '9' }
    expect(problem).toEqual({ code: 'unavailable', status: 409, headers, errors, message: 'away' })
    expect(await json('/probe/error/other')).toEqual({ message: 'out of range' })
    spy.mockRestore()
  })

  it('notes: log lines, the task of the invocation, measures; a field that cannot be sent costs no life', async () => {
    expect(await (await probe.call('/probe/notes')).text()).toBe('noted')
    const note = await probe.line('the note', (line) => line.msg === 'a note')
    expect(note).toMatchObject({ task: TASK_OF_NOTES, function: 'test', when: '1970-01-01T00:00:00.000Z' })
    expect(note.err).toMatchObject({ name: 'TypeError', message: 'bad', stack: expect.stringContaining('calls.ts') })
    const strange = await probe.line('the strange note', (line) => line.msg === 'a strange note')
    expect(strange.lost).toMatch(/serialize a BigInt/)
    expect(await probe.line('the long note', (line) => line.lost !== undefined && line !== strange)).toMatchObject({
      msg: 'x'.repeat(1_000),
      lost: expect.stringContaining('Expected a note of at most'),
    })
    // Written when the Response came, which takes another way than the notes.
    const line = probe.lines.find(({ msg, invocation }) => msg === 'invocation' && invocation === note.invocation)
    expect(line).toMatchObject({ task: TASK_OF_NOTES, status: 200 })
    expect(await (await probe.metrics.registry()).metrics()).toContain('derived_total{format="webp"} 2')
  })
})

describe('bindings in a container whose function names what it needs', () => {
  it('answer for the task that the invocation is about, and for no other, whatever it says', async () => {
    const allowed = ['tasks.get', 'tasks.writeCursor'] as const
    await using probe = await containedFunction('probe', { timeoutMs: 20_000, pool: { allowed } })
    const ask = async (path: string, taskId?: string): Promise<unknown> => {
      const response = await probe.call(path, {}, { taskId })
      return response.status === 200 ? await response.text() : response.status
    }
    const [mine, other] = [newTaskId(), newTaskId()]
    const refused = '{"message":"tasks.get was about another task than the invocation"}'
    expect(await ask(`/probe/error/${mine}`, mine)).toBe('no error')
    expect(await ask(`/probe/error/${other}`, mine)).toBe(refused)
    expect(await ask(`/probe/error/${mine}`, mine.replace('0', '%30'))).toBe('no error')
    // A function may name a task for its log line; that widens nothing.
    expect(await ask('/probe/notes', mine)).toBe('noted')
    expect(await ask(`/probe/error/${TASK_OF_NOTES}`, mine)).toBe(refused)
    expect(await ask(`/probe/error/${other}`)).toBe('no error')
    expect(await ask('/probe/everything', mine)).toBe(500)
    expect(probe.bindings.queue.sent).toEqual([])
  })
})
