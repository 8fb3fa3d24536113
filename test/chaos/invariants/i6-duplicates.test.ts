/**
 * I6: a duplicate delivery of a terminal task is a 2xx and does nothing.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | process-image works on a terminal task again | with a derived file; told to its client |
 * | claim opens a terminal task again | all |
 * | process-image answers a duplicate with 404 | all |
 * | an encoding that is there is derived again | with a derived file |
 * | notify sends what was delivered again | told to its client |
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { type Message, QUEUES, taskCreated, taskSettled, variantWanted } from '#shared/message.ts'
import type { Task } from '#shared/task.ts'
import { picture, truncated } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import type { Victim } from '../victims.ts'
import { CALLBACKS, openReceiver } from './receiver.ts'
import { BOUND_MS, openScene, type Scene, torn, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

const VERDICT = /^queue_verdicts_total\{queue="([^"]+)",verdict="([^"]+)"\} (\d+)$/gm

/** Verdicts of a victim so far: `image-processing ack` → 1. */
async function verdicts(scene: Scene, { url }: Victim): Promise<Record<string, number>> {
  const text = await (await scene.request(`${url}/metrics`)).text()
  return Object.fromEntries(
    [...text.matchAll(VERDICT)].map(([, queue, verdict, n]) => [`${queue} ${verdict}`, Number(n)]),
  )
}

/** Every file and folder of a task, with what changes when it is written, replaced, or something is added to it. */
async function filesOf({ folder }: Scene, id: string): Promise<string[]> {
  const lines: string[] = []
  for (const root of [join(folder, 'input', id), join(folder, 'output', id)]) {
    const names = await readdir(root).catch(() => [])
    for (const path of names.length > 0 ? [root, ...names.map((name) => join(root, name))] : []) {
      const { ino, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
      lines.push(`${path} ${ino} ${mtimeNs} ${ctimeNs}`)
    }
  }
  return lines.sort()
}

overStacks('I6 over $name: a duplicate of a terminal task does nothing', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  /** Sends each message again, one after another, and compares what was with what is then. */
  async function expectNothing(scene: Scene, victim: Victim, task: Task, messages: Message[]): Promise<void> {
    await until('its own messages are done', async () => (await stack.messages(scene.folder)).length === 0, BOUND_MS)
    const [document, files, before] = [
      await scene.task(task.id),
      await filesOf(scene, task.id),
      await verdicts(scene, victim),
    ]
    const expected = { ...before }
    for (const message of messages) {
      const acks = `${message.queue} ack`
      expected[acks] = (expected[acks] ?? 0) + 1
      await scene.stores.queue.send(message)
      await until(
        `${message.id} is acked`,
        async () => (await verdicts(scene, victim))[acks] === expected[acks],
        BOUND_MS,
      )
    }
    expect(await verdicts(scene, victim)).toEqual(expected)
    expect(await scene.task(task.id)).toEqual(document)
    expect(await filesOf(scene, task.id)).toEqual(files)
    for (const queue of Object.values(QUEUES)) expect(await scene.stores.queue.deadLetters(queue, 1)).toEqual([])
  }

  it('completed, with a derived file', async () => {
    await using scene = await openScene(stack)
    const victim = await scene.start()
    const id = await scene.upload(victim, { bytes })
    const task = await scene.terminal(id)
    const wanted = variantWanted(id, { variant: '160x160', format: 'webp' })
    await scene.stores.queue.send(wanted)
    const isDerived = async (): Promise<boolean> => (await scene.task(id))!.variants[0]!.derived.webp !== undefined
    await until('the WebP is there', isDerived, BOUND_MS)
    await expectNothing(scene, victim, task, [taskCreated(id), taskCreated(id), wanted])
    expect(await torn(scene.stores, (await scene.task(id))!)).toEqual([])
  })

  it('completed, its original discarded', async () => {
    await using scene = await openScene(stack)
    const victim = await scene.start()
    const task = await scene.terminal(await scene.upload(victim, { bytes, fields: { original: 'discard' } }))
    await expectNothing(scene, victim, task, [taskCreated(task.id)])
    expect((await scene.task(task.id))!.source.key).toBeNull()
  })

  it('failed', async () => {
    await using scene = await openScene(stack)
    const victim = await scene.start()
    const task = await scene.terminal(await scene.upload(victim, { bytes: truncated(bytes) }))
    expect(task).toMatchObject({ status: 'failed', error: { code: 'image-corrupt' } })
    const wanted = variantWanted(task.id, { variant: '160x160', format: 'webp' })
    await expectNothing(scene, victim, task, [taskCreated(task.id), wanted])
  })

  it('told to its client: it is not told again', async () => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    const victim = await scene.start({ env: CALLBACKS })
    const task = await scene.terminal(await scene.upload(victim, { bytes, fields: { callbackUrl: receiver.url } }))
    const isTold = async (): Promise<boolean> => (await scene.task(task.id))!.callback!.status === 'delivered'
    await until('it is told', isTold, BOUND_MS)
    await expectNothing(scene, victim, task, [taskSettled(task.id), taskCreated(task.id)])
    expect(receiver.calls).toHaveLength(1)
  })
})
