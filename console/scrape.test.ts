/** What a scrape says of queues, disk and memory, and that it stands when a part cannot be asked. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { NotCounted, type QueueDriver, type QueueStats } from '#shared/consumer.ts'
import { collectQueues } from './queue-metrics.ts'
import { collectSurroundings, memoryUse } from './surroundings.ts'

const STATS: QueueStats = { waiting: 3, active: 1, delayed: 0, dead: 2, oldestMs: 1_500 }

/** Answers of `stats`, one after the other; the last one from then on. */
function queueOf(...answers: (QueueStats | Error)[]): QueueDriver {
  const stats = async (): Promise<QueueStats> => {
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!
    if (answer instanceof Error) throw answer
    return await Promise.resolve(answer)
  }
  return { stats } as unknown as QueueDriver
}

async function scrape(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

describe('queues', () => {
  test('are shown by state, with the age of the oldest message', async () => {
    const registry = new Registry()
    collectQueues(registry, { queue: queueOf(STATS), tasks: {} }, ['images'])
    expect(await scrape(registry)).toEqual([
      'queue_messages{queue="images",state="waiting"} 3',
      'queue_messages{queue="images",state="active"} 1',
      'queue_messages{queue="images",state="delayed"} 0',
      'queue_messages{queue="images",state="dead"} 2',
      'queue_oldest_message_seconds{queue="images"} 1.5',
      'queue_reachable{queue="images"} 1',
      'task_change_polls_total 0',
    ])
  })

  test('that cannot be asked show no number, not the one before either, and no scrape fails for them', async () => {
    const registry = new Registry()
    collectQueues(registry, { queue: queueOf(STATS, new Error('away'), STATS), tasks: { polls: () => 7 } }, ['images'])
    await scrape(registry)
    expect(await scrape(registry)).toEqual(['queue_reachable{queue="images"} 0', 'task_change_polls_total 7'])
    expect(await scrape(registry)).toContain('queue_reachable{queue="images"} 1')
  })

  test('are all shown by each of two scrapes at once', async () => {
    const registry = new Registry()
    const slow = Promise.withResolvers<QueueStats>()
    const asked: string[] = []
    const stats = async (queue: string): Promise<QueueStats> => {
      asked.push(queue)
      return queue === 'images' && asked.length === 1 ? STATS : await slow.promise
    }
    collectQueues(registry, { queue: { stats } as QueueDriver, tasks: {} }, ['images', 'callbacks'])
    const first = scrape(registry)
    // What answers at once has answered by then.
    await new Promise((resolve) => setImmediate(resolve))
    const second = scrape(registry)
    slow.resolve(STATS)
    for (const lines of await Promise.all([first, second])) {
      expect(lines.filter((line) => line.startsWith('queue_reachable'))).toEqual([
        'queue_reachable{queue="images"} 1',
        'queue_reachable{queue="callbacks"} 1',
      ])
      expect(lines.filter((line) => line.startsWith('queue_messages'))).toHaveLength(8)
    }
    expect(asked).toEqual(['images', 'callbacks'])
    await scrape(registry)
    expect(asked).toHaveLength(4)
  })

  test('that only a platform counts are left to it', async () => {
    const registry = new Registry()
    collectQueues(registry, { queue: queueOf(new NotCounted()), tasks: {} }, ['images'])
    expect(await scrape(registry)).toEqual(['task_change_polls_total 0'])
  })
})

describe('disk', () => {
  test('is that of the nearest folder that is there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'revela-disk-'))
    try {
      const registry = new Registry()
      collectSurroundings(registry, { input: join(folder, 'not/yet/made'), output: folder })
      const lines = await scrape(registry)
      const numbers = (name: string): number[] =>
        lines.filter((line) => line.startsWith(name)).map((line) => Number(line.split(' ')[1]))
      expect(numbers('disk_size_bytes')).toHaveLength(2)
      expect(new Set(numbers('disk_size_bytes')).size).toBe(1)
      for (const free of numbers('disk_free_bytes')) expect(free).toBeGreaterThan(0)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('memory', () => {
  const files: [string, Record<string, string>, { bytes: number; limit: number } | null][] = [
    [
      'of cgroup v2',
      { 'memory.current': '300\n', 'memory.max': '512\n', 'memory.stat': 'anon 100\ninactive_file 120\n' },
      { bytes: 180, limit: 512 },
    ],
    [
      'of cgroup v1',
      {
        'memory/memory.usage_in_bytes': '300\n',
        'memory/memory.limit_in_bytes': '512\n',
        'memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 120\n',
      },
      { bytes: 180, limit: 512 },
    ],
    ['of a v2 group without a limit', { 'memory.current': '300\n', 'memory.max': 'max\n' }, null],
    [
      'of a v1 group without a limit',
      { 'memory/memory.usage_in_bytes': '300\n', 'memory/memory.limit_in_bytes': '9223372036854771712\n' },
      null,
    ],
    ['of no group', {}, null],
  ]
  test.each(files)('%s', async (_what, contents, expected) => {
    const root = await mkdtemp(join(tmpdir(), 'revela-cgroup-'))
    try {
      await mkdir(join(root, 'memory'))
      for (const [name, text] of Object.entries(contents)) await writeFile(join(root, name), text)
      expect(memoryUse(root)).toEqual(expected)
    } finally {
      await rm(root, { recursive: true, force: true })
    }
  })

  test('without a limit shows no number', async () => {
    const registry = new Registry()
    collectSurroundings(registry, {})
    const shown = (await scrape(registry)).map((line) => line.split(' ')[0])
    expect(shown).toEqual(memoryUse() ? ['cgroup_memory_bytes', 'cgroup_memory_limit_bytes'] : [])
  })
})
