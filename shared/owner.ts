/**
 * Whose files these are. A task store and the files of its tasks both note one random id. Where they do not, the files
 * are another store's (MONGODB_URI names another database, the volume of SQLITE_FILE is not mounted), and what this one
 * does not know may be all but garbage.
 */
import { randomUUID } from 'node:crypto'
import type { BlobStore, TaskStore } from './bindings.ts'
import { timeOfTaskId } from './task.ts'

const OWNER = 'store-id'
/** Noted in the task store before files get an id: so files with one, and nothing noted here, are another store's. */
const GIVING = 'giving'
/** Oldest tasks among files without an id of which one must be known: files from before there were ids. */
const TASKS_ASKED = 100

interface Parts {
  tasks: Pick<TaskStore, 'get' | 'readCursor' | 'writeCursor'>
  blobs: Pick<BlobStore, 'owners' | 'listTasks'>
}

/** The files are not this task store's: nothing of them may be taken for garbage. */
export class ForeignFiles extends Error {
  override readonly name = 'ForeignFiles'
  constructor(why: string) {
    const hint = 'Do MONGODB_URI or SQLITE_FILE, and the storage, name what belongs together, and is all of it mounted?'
    super(`The stored files are not those of this task store: ${why}. Nothing is collected. ${hint}`)
  }
}

async function mayBelong({ tasks, blobs }: Parts, before: number): Promise<boolean> {
  const old = (await blobs.listTasks('', TASKS_ASKED)).filter((id) => timeOfTaskId(id) < before)
  for (const id of old) if ((await tasks.get(id)) !== null) return true
  return old.length === 0
}

/**
 * Gives the id to a store and files that are new, or from before there were ids. Any number of processes may call it at
 * once. Younger files than `before` (Unix ms), which nobody collects, say nothing.
 * @throws ForeignFiles; Problem `unavailable`
 */
export async function checkOwner({ tasks, blobs }: Parts, before: number): Promise<void> {
  let noted = await blobs.owners()
  // After the files': whoever gave them the id noted before that it would.
  const own = await tasks.readCursor(OWNER)
  if (own === null && noted.length > 0) throw new ForeignFiles('they have an owner, and it has no files')
  if (noted.length === 0 && !(await mayBelong({ tasks, blobs }, before))) {
    throw new ForeignFiles('it knows none of their tasks')
  }
  if (own === null) await tasks.writeCursor(OWNER, GIVING)
  const known = own === GIVING ? null : own
  if (noted.length === 0 || known === null) noted = await blobs.owners(known ?? noted[0] ?? randomUUID())
  const id = known ?? noted[0]!
  if (noted.some((other) => other !== id)) throw new ForeignFiles('they have another owner')
  if (own !== id) await tasks.writeCursor(OWNER, id)
}
