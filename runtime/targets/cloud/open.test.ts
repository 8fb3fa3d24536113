/** What every cloud target relies on. Over 250 lines, since all of it shares one bundle of functions. */
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, test, vi } from 'vitest'
import type { FunctionConfig, Route } from '#shared/function.ts'
import { type App, createApp } from '#shared/http.ts'
import { taskCreated, variantWanted } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { waitFor } from '#shared/wait.ts'
import {
  answering,
  QUEUE,
  QUEUE_CONFIG,
  type RecordedQueue,
  testCloud,
  TIMER_CONFIG,
} from '../../../test/clouds/cloud.ts'
import { testTask } from '../../../test/tasks.ts'
import { openCloudFunction } from './open.ts'
import { warmUp } from './warm-up.ts'

function http(route: Route, app: App, more: Partial<FunctionConfig> = {}) {
  const config: FunctionConfig = { trigger: { type: 'http', routes: [route] }, timeoutMs: 5_000, ...more }
  return { name: route.split('/')[1]!, config, app }
}

/** Waits for a task that never ends, as long as it is asked to by `?ms`, and says with what. */
const waiting = createApp()
waiting.get('/wait/:id', async (c) => {
  const begun = performance.now()
  const ms = Number(c.req.query('ms'))
  const task = await waitFor(c.env.tasks, c.req.param('id'), c.env.invocation.signal, ms, () => false)
  return c.json({ status: task?.status, prefer: c.req.header('prefer'), ms: performance.now() - begun })
})
const slow = createApp()
slow.get('/slow', async (c) => {
  await delay(30_000, undefined, { signal: c.env.invocation.signal })
  return c.text('late')
})
const cookies = createApp()
cookies.get('/cookies', () => {
  const headers = new Headers({ 'x-frame-options': 'SAMEORIGIN' })
  headers.append('set-cookie', 'a=1')
  headers.append('set-cookie', 'b=2')
  return new Response(null, { status: 201, headers })
})

const request = (path: string, headers: Record<string, string> = {}): Request =>
  new Request(`https://of.the.platform${path}`, { headers: { host: 'of.the.platform', ...headers } })
const arrival = { client: '192.0.2.1', remainingMs: 30_000 }

describe('who may call', () => {
  it.each<Record<string, string>[]>([[{}], [{ AUTH: '' }]])('is not left open: %j', async (env) => {
    const { options } = testCloud([], env)
    await expect(openCloudFunction(options)).rejects.toThrow('API_KEY: expected keys, or AUTH=platform')
  })

  it('is who has a key, by whatever name the host is called', async () => {
    const { options } = testCloud([http('GET /cookies', cookies)], { API_KEY: 'key-of-a-test' })
    const cloud = await openCloudFunction(options)
    expect((await cloud.fetch(request('/cookies'), arrival)).status).toBe(401)
    expect((await cloud.fetch(request('/cookies', { 'x-api-key': 'key-of-a-test' }), arrival)).status).toBe(201)
  })

  it('is who the platform lets through, but no page of another site', async () => {
    const post = createApp()
    post.post('/post', (c) => c.text('done'))
    const { options } = testCloud([http('POST /post', post)])
    const cloud = await openCloudFunction(options)
    const sent = (headers: Record<string, string>) => new Request(request('/post', headers), { method: 'POST' })
    expect((await cloud.fetch(sent({}), arrival)).status).toBe(200)
    expect((await cloud.fetch(sent({ 'sec-fetch-site': 'cross-site' }), arrival)).status).toBe(403)
  })
})

describe('a bundle', () => {
  it('answers the routes of each of its functions, and no others', async () => {
    const functions = [http('GET /cookies', cookies), http('GET /slow', slow)]
    const cloud = await openCloudFunction(testCloud(functions).options)
    expect((await cloud.fetch(request('/cookies'), arrival)).status).toBe(201)
    expect((await cloud.fetch(request('/elsewhere'), arrival)).status).toBe(404)
    const notAllowed = await cloud.fetch(new Request(request('/slow'), { method: 'DELETE' }), arrival)
    expect([notAllowed.status, notAllowed.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  it("gives headers of the runtime's own beside those of the answer, which win, and each cookie", async () => {
    const cloud = await openCloudFunction(testCloud([http('GET /cookies', cookies)]).options)
    const { headers } = await cloud.fetch(request('/cookies'), arrival)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN')
    expect(headers.get('traceparent')).toMatch(/^00-/)
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it('does not start with a function that cannot run, and names it', async () => {
    const { options } = testCloud([{ name: 'lame', config: QUEUE_CONFIG, app: createApp() }])
    await expect(openCloudFunction(options)).rejects.toThrow('lame: index.ts of a queue function must answer POST /')
  })
})

describe('the time that the platform leaves', () => {
  it('is the deadline of a request, less what the answer takes', async () => {
    const cloud = await openCloudFunction(testCloud([http('GET /slow', slow)]).options)
    const response = await cloud.fetch(request('/slow'), { ...arrival, remainingMs: 600 })
    expect(await response.json()).toMatchObject({ status: 504, detail: expect.stringContaining('within 100 ms') })
  })

  it("does not make a function's own time longer", async () => {
    const cloud = await openCloudFunction(testCloud([http('GET /slow', slow, { timeoutMs: 50 })]).options)
    const response = await cloud.fetch(request('/slow'), arrival)
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('within 50 ms') })
  })

  it('ends a message in time', async () => {
    const never = answering(() => delay(30_000, new Response()))
    const { options, tasks } = testCloud([
      { name: 'worker', config: { ...QUEUE_CONFIG, timeoutMs: 600_000 }, app: never },
    ])
    const cloud = await openCloudFunction(options)
    const task = testTask()
    await tasks.create(task, taskCreated(task.id))
    const decision = await cloud.deliver(taskCreated(task.id), { received: 1, remainingMs: 600 })
    expect(decision).toMatchObject({ kind: 'retry', status: 504 })
  })

  it('begins nothing when there is none, and that is no failure', async () => {
    const app = answering(vi.fn<() => Response>())
    const cloud = await openCloudFunction(testCloud([{ name: 'worker', config: QUEUE_CONFIG, app }]).options)
    const decision = await cloud.deliver(taskCreated(newTaskId()), { received: 5, remainingMs: 500 })
    expect(decision).toMatchObject({ kind: 'retry', afterMs: 0 })
  })
})

describe('a wait', () => {
  async function wait(ms: number, remainingMs: number, waitMaxMs: number, prefer?: string) {
    const { options, tasks } = testCloud([http('GET /wait/{taskId}', waiting)])
    const cloud = await openCloudFunction({ ...options, waitMaxMs })
    const task = testTask()
    await tasks.create(task, taskCreated(task.id))
    const asked = request(`/wait/${task.id}?ms=${ms}`, prefer ? { prefer } : {})
    const response = await cloud.fetch(asked, { ...arrival, remainingMs })
    return (await response.json()) as { status: string; prefer?: string; ms: number }
  }

  it('ends with the state that the task has when the target can wait no longer', async () => {
    const answer = await wait(4_900, 30_000, 200)
    expect(answer).toMatchObject({ status: 'pending' })
    expect(answer.ms).toBeLessThan(4_000)
  })

  it('ends before the deadline does', async () => {
    expect(await wait(4_900, 2_100, 25_000)).toMatchObject({ status: 'pending' })
  })

  it('is as long as it is asked to be where that is less', async () => {
    expect((await wait(300, 30_000, 25_000)).ms).toBeGreaterThan(290)
  })

  test.each([
    ['wait=30', 30_000, 'wait=25'],
    ['wait=30', 12_900, 'wait=10'],
    ['respond-async, Wait = "30"; x', 30_000, 'respond-async, Wait = "25"; x'],
    ['wait=9999999999', 30_000, 'wait=25'],
    ['foo="wait=1, wait=30", wait=30', 30_000, 'foo="wait=1, wait=25", wait=25'],
    ['wait=3', 30_000, 'wait=3'],
    ['wait=3', 1_000, 'wait=0'],
    ['respond-async', 30_000, 'respond-async'],
  ])('is not asked for longer than it will be: %s with %i ms is %s', async (prefer, remainingMs, cut) => {
    expect((await wait(0, remainingMs, 25_000, prefer)).prefer).toBe(cut)
  })
})

describe('a message', () => {
  const refused = answering(() => new Response(null, { status: 422 }))

  it('that is dead is buried before it is called so', async () => {
    const { options, queue } = testCloud([{ name: 'worker', config: QUEUE_CONFIG, app: refused }])
    const cloud = await openCloudFunction(options)
    const message = taskCreated(newTaskId())
    expect(await cloud.deliver(message, { received: 1, remainingMs: 9_000 })).toMatchObject({
      kind: 'dead',
      buried: true,
    })
    expect(queue.buried).toMatchObject([{ message, reason: 'status 422', lastStatus: 422 }])
  })

  it('that is dead is told once, whichever way it died, when it is buried', async () => {
    const statuses = [500, 422, 422]
    const app = answering(() => new Response(null, { status: statuses.shift()! }))
    const { options, queue, log } = testCloud([{ name: 'worker', config: QUEUE_CONFIG, app }])
    const cloud = await openCloudFunction(options)
    const wanted = variantWanted(newTaskId(), { variant: 'a', format: 'webp' })
    expect(await cloud.deliver(wanted, { received: 3, remainingMs: 9_000 })).toMatchObject({ buried: true })
    queue.fail = () => {
      throw new Error('away')
    }
    expect(await cloud.deliver(wanted, { received: 1, remainingMs: 9_000 })).toMatchObject({ kind: 'retry' })
    queue.fail = () => {}
    await cloud.deliver(wanted, { received: 1, remainingMs: 9_000 })
    await cloud.refuse(QUEUE, 'm-1', 'no event')
    const isDeath = ({ msg }: Record<string, unknown>): boolean => msg === 'message is dead'
    expect(log.lines.filter(isDeath)).toMatchObject([
      { function: 'worker', message: wanted.id, task: wanted.subject, attempt: 3, reason: 'status 500' },
      { message: wanted.id, attempt: 1, reason: 'status 422' },
      { message: 'm-1', attempt: 0, reason: 'no CloudEvent with a subject' },
    ])
  })

  it.each([
    ['its platform', (queue: RecordedQueue) => void delete queue.bury],
    ["its platform, as this queue's", (queue: RecordedQueue) => void (queue.hasGrave = (name) => name !== QUEUE)],
  ])('that is left to %s to bury is told too', async (_whom, leave) => {
    const { options, queue, log } = testCloud([{ name: 'worker', config: QUEUE_CONFIG, app: refused }])
    leave(queue)
    const cloud = await openCloudFunction(options)
    const decision = await cloud.deliver(taskCreated(newTaskId()), { received: 1, remainingMs: 9_000 })
    expect(decision).toMatchObject({ kind: 'dead' })
    expect(decision).not.toHaveProperty('buried')
    expect(queue.buried).toEqual([])
    await log.line('its death', ({ msg }) => msg === 'message is dead')
  })

  it('that could not be buried comes again', async () => {
    const { options, queue } = testCloud([{ name: 'worker', config: QUEUE_CONFIG, app: refused }])
    const cloud = await openCloudFunction(options)
    queue.fail = () => {
      throw new Error('away')
    }
    const received = { received: 1, remainingMs: 9_000 }
    expect(await cloud.deliver(taskCreated(newTaskId()), received)).toMatchObject({ kind: 'retry' })
    expect(await cloud.refuse(QUEUE, 'm-1', 'no event')).toMatchObject({ kind: 'retry' })
  })

  it('that is none is buried as it came', async () => {
    const { options, queue } = testCloud([{ name: 'worker', config: QUEUE_CONFIG, app: refused }])
    const cloud = await openCloudFunction(options)
    expect(await cloud.refuse(QUEUE, 'm-1', '{"no": "event"')).toMatchObject({ kind: 'dead', buried: true })
    expect(queue.buried).toMatchObject([{ message: { id: 'm-1', type: 'unreadable', data: '{"no": "event"' } }])
  })

  it('of a queue that nobody here takes is an error', async () => {
    const cloud = await openCloudFunction(testCloud([]).options)
    const deliver = cloud.deliver(taskCreated(newTaskId()), { received: 1, remainingMs: 9_000 })
    await expect(deliver).rejects.toThrow('No function of this bundle takes messages of image-processing')
  })

  it('has MAX_RETRIES tries where that is set', async () => {
    const failing = answering(() => new Response(null, { status: 500 }))
    const env = { AUTH: 'platform', MAX_RETRIES: '0' }
    const { options, tasks } = testCloud([{ name: 'process-image', config: QUEUE_CONFIG, app: failing }], env)
    const cloud = await openCloudFunction(options)
    const task = testTask({ deliveries: 1 })
    await tasks.create(task, taskCreated(task.id))
    const again = await cloud.deliver(taskCreated(task.id), { received: 2, remainingMs: 9_000 })
    expect(again).toMatchObject({ kind: 'dead' })
  })
})

describe('a start', () => {
  const away = new Error('away')

  it('reaches its store before anyone asks, in as many tries as it takes', async () => {
    const readCursor = vi.fn<() => Promise<null>>(async () => null)
    readCursor.mockRejectedValueOnce(away).mockRejectedValueOnce(away)
    await warmUp({ readCursor })
    expect(readCursor).toHaveBeenCalledTimes(3)
  })

  it('does not wait for ever for one that is away', async () => {
    await warmUp({ readCursor: () => Promise.reject(away) }, 50)
    const { options, tasks } = testCloud([])
    const readCursor = vi.spyOn(tasks, 'readCursor')
    await openCloudFunction(options)
    expect(readCursor).toHaveBeenCalledTimes(1)
  })
})

describe('a tick', () => {
  it('runs once for its instant, and fails when its function does', async () => {
    const answers = [new Response(), new Response(null, { status: 500 })]
    const run = vi.fn<() => Response>(() => answers.shift()!)
    const app = answering(run)
    const cloud = await openCloudFunction(testCloud([{ name: 'sweep', config: TIMER_CONFIG, app }]).options)
    await cloud.tick(60_000, 9_000)
    await cloud.tick(60_000, 9_000)
    expect(run).toHaveBeenCalledTimes(1)
    await expect(cloud.tick(120_000, 9_000)).rejects.toThrow('sweep failed')
    await cloud.tick(120_000, 9_000)
    expect(run).toHaveBeenCalledTimes(2)
  })

  it('is one timer’s: by its name where there are several', async () => {
    const names: string[] = []
    const timer = (name: string) => ({
      name,
      config: TIMER_CONFIG,
      app: answering(() => {
        names.push(name)
        return new Response()
      }),
    })
    const cloud = await openCloudFunction(testCloud([timer('one'), timer('two')]).options)
    await cloud.tick(60_000, 9_000, 'two')
    expect(names).toEqual(['two'])
    await expect(cloud.tick(60_000, 9_000)).rejects.toThrow('got several')
    await expect(cloud.tick(60_000, 9_000, 'three')).rejects.toThrow('got none')
  })
})
