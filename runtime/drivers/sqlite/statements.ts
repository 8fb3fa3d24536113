import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** More than a driver has; a list may filter by any number of metadata pairs, each number being a text of its own. */
const STATEMENTS_KEPT = 128

export type Prepare = (text: string) => StatementSync

/** Prepares each text once. Values are always bound, never written into the text. */
export function keptStatements(db: DatabaseSync): Prepare {
  const kept = new Map<string, StatementSync>()
  return (text) => {
    const found = kept.get(text)
    if (found) return found
    const statement = db.prepare(text)
    for (const [oldest] of kept) if (kept.size >= STATEMENTS_KEPT) kept.delete(oldest)
    kept.set(text, statement)
    return statement
  }
}
