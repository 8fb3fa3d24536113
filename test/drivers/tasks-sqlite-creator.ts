/** A process for the crash test: creates tasks, prints each id once it is acknowledged, and never ends by itself. */
import { writeSync } from 'node:fs'
import { openSqlite } from '../../runtime/drivers/sqlite/file.ts'
import { sqliteQueue } from '../../runtime/drivers/queue/sqlite.ts'
import { sqliteTasks } from '../../runtime/drivers/tasks/sqlite.ts'
import { sampleMessage, sampleTask } from './samples.ts'

const file = openSqlite(process.argv[2]!)
const queue = sqliteQueue({ file })
const tasks = sqliteTasks({ file, enqueue: (message) => queue.enqueue(message) })

async function createForEver(): Promise<never> {
  for (;;) {
    const task = sampleTask()
    await tasks.create(task, sampleMessage(task))
    // Synchronous: what was acknowledged is out of the process before anything can kill it.
    writeSync(1, `${task.id}\n`)
  }
}

// Several at once, so that kills hit shared transactions.
await Promise.all([createForEver(), createForEver(), createForEver()])
