import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { sqliteTasks } from '../../runtime/drivers/tasks/sqlite.ts'
import { testFile } from './sqlite-file.ts'

describe('kill -9', () => {
  const creator = fileURLToPath(new URL('tasks-sqlite-creator.ts', import.meta.url))

  /** Runs the creator until it has printed `count` ids; returns all that it printed before it died. */
  async function killedAfter(path: string, count: number): Promise<string[]> {
    const child = spawn(process.execPath, [creator, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ids: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      if (ids.push(line) === count) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return ids.filter((id) => id.length === 36)
  }

  test('every acknowledged task is there, with its message, and the file is whole', async () => {
    const file = testFile()
    try {
      // Two at once on a new file: they race for its creation as well.
      const ids = (await Promise.all([killedAfter(file.path, 40), killedAfter(file.path, 70)])).flat()
      ids.push(...(await killedAfter(file.path, 33)))
      expect(ids.length).toBeGreaterThanOrEqual(143)
      const handle = file.open()
      const tasks = sqliteTasks({ file: handle })
      const queued = handle.relaxed.prepare('SELECT id FROM queue_messages').all()
      const messages = new Set(queued.map((row) => row['id']))
      for (const id of ids) {
        expect(await tasks.get(id)).toMatchObject({ id, status: 'pending' })
        expect(messages).toContain(`${id}.created`)
      }
      // Neither without the other, for the unacknowledged too.
      const total = handle.relaxed.prepare('SELECT count(*) AS n FROM tasks').get()
      expect(total).toEqual({ n: messages.size })
      expect(handle.relaxed.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
    } finally {
      file.remove()
    }
  })
})
