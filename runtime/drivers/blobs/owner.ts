/** Each storage folder names the task store that its files belong to. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reachOrNull } from './faults.ts'
import { writeFile } from './write.ts'

export const OWNER = '.revela-owner'
const TEXT = 'The id of the task store whose pictures these are. No other one collects them as garbage.\n'

/** Null where none is noted. */
export async function ownerOf(folder: string): Promise<string | null> {
  const text = await reachOrNull(readFile(join(folder, OWNER), 'utf8'))
  return text === null ? null : textToOwner(text)
}

export function ownerToText(id: string): string {
  return `${id}\n${TEXT}`
}

export function textToOwner(text: string): string {
  return text.split('\n', 1)[0]!
}

/** Notes the id, durably, unless one is there; resolves with the one that is. */
export async function noteOwner(folder: string, id: string): Promise<string> {
  await writeFile(join(folder, OWNER), Buffer.from(ownerToText(id)), undefined)
  return (await ownerOf(folder)) ?? id
}
