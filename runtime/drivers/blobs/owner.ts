/** Each storage folder names the task store that its files belong to. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reachOrNull } from './faults.ts'
import { ownerToText, textToOwner } from './owner-text.ts'
import { writeFile } from './write.ts'

export const OWNER = '.revela-owner'

/** Null where none is noted. */
export async function ownerOf(folder: string): Promise<string | null> {
  const text = await reachOrNull(readFile(join(folder, OWNER), 'utf8'))
  return text === null ? null : textToOwner(text)
}

/** Notes the id, durably, unless one is there; resolves with the one that is. */
export async function noteOwner(folder: string, id: string): Promise<string> {
  await writeFile(join(folder, OWNER), Buffer.from(ownerToText(id)), undefined)
  return (await ownerOf(folder)) ?? id
}
