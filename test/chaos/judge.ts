/** What a run of chaos left: every task and every file is looked at, over HTTP and in the folder. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MARKER } from '../../runtime/drivers/blobs/marker.ts'
import { OWNER } from '../../runtime/drivers/blobs/owner.ts'

/** What became of the uploads of a run. */
export interface Outcome {
  /** Uploads that were answered 202. */
  acknowledged: number
  completed: number
  failed: number
  /** Acknowledged, and not there any more. */
  lost: number
  /** Acknowledged, and not terminal in the time that the contract gives. */
  stuck: number
  /** Completed, with a variant that is not there or is not what its hash says. */
  torn: number
  /** Uploads that made more than one task. */
  doubled: number
  /** Files that look unfinished and can be reached by a reader. */
  leftovers: number
}

interface TaskBody {
  id: string
  status: string
  metadata: { upload?: string }
  variants: { href: string; sha256: string }[]
}

/** Lease (1 s in the embedded runs) + 2 sweeps of 15 s, and time for the work itself. */
export const SETTLE_MS = 60_000
const RETRY_MS = 500

async function allTasks(url: string): Promise<TaskBody[]> {
  const tasks: TaskBody[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const response = await fetch(`${url}/tasks?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    if (response.status === 503) {
      // A store that has just come back; the page is asked for again.
      await delay(RETRY_MS)
      continue
    }
    const page = (await response.json()) as { items: TaskBody[]; nextCursor: string | null }
    tasks.push(...page.items)
    cursor = page.nextCursor
  }
  return tasks
}

/** All tasks, once none is open, or none of those that are has ended for `settleMs`: a long queue is not stuck. */
async function settled(url: string, settleMs: number): Promise<TaskBody[]> {
  let deadline = Date.now() + settleMs
  let fewest = Infinity
  for (;;) {
    const tasks = await allTasks(url)
    const open = tasks.filter(({ status }) => status === 'pending' || status === 'processing')
    if (open.length < fewest) deadline = Date.now() + settleMs
    fewest = Math.min(fewest, open.length)
    if (!open[0] || Date.now() > deadline) return tasks
    await fetch(`${url}/tasks/${open[0].id}`, { headers: { Prefer: 'wait=5' } }).then((response) => response.text())
  }
}

async function tornOf(url: string, task: TaskBody): Promise<boolean> {
  for (const { href, sha256 } of task.variants) {
    const response = await fetch(new URL(href, url))
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200 || createHash('sha256').update(bytes).digest('hex') !== sha256) return true
  }
  return task.variants.length !== 2
}

/** Waits until nothing is open, or stuck, and counts. `url` is that of a runtime that stays alive. */
export async function judge(
  url: string,
  acknowledged: readonly string[],
  folder: string,
  settleMs = SETTLE_MS,
): Promise<Outcome> {
  const tasks = await settled(url, settleMs)
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const uploads = new Map<string, number>()
  for (const { metadata } of tasks) uploads.set(metadata.upload ?? '', (uploads.get(metadata.upload ?? '') ?? 0) + 1)
  const known = acknowledged.flatMap((id) => byId.get(id) ?? [])
  const completed = known.filter(({ status }) => status === 'completed')
  let torn = 0
  for (const task of completed) if (await tornOf(url, task)) torn++
  const files = (await readdir(join(folder, 'output'), { recursive: true })).filter(
    (name) => ![MARKER, OWNER].includes(name),
  )
  // The folder's mark and owner, tasks' folders, and what they hold.
  const whole = /(^\.revela-(storage|owner)$|^[0-9a-f-]{36}$|\/(160x160|80x80)\.jpg$)/
  return {
    acknowledged: acknowledged.length,
    completed: completed.length,
    failed: known.filter(({ status }) => status === 'failed').length,
    lost: acknowledged.length - known.length,
    stuck: known.filter(({ status }) => status !== 'completed' && status !== 'failed').length,
    torn,
    doubled: [...uploads.values()].filter((times) => times > 1).length,
    // A killed writer leaves its temp file behind, under a name that no key can spell; anything else is a leftover.
    leftovers: files.filter((file) => !whole.test(file) && !/\/\.tmp-[^/]*$/.test(file)).length,
  }
}
