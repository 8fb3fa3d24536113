import type { DatabaseSync, StatementSync } from 'node:sqlite'

export type Prepare = (text: string) => StatementSync

/** Prepares each text once. Texts must be few: values are always bound, never written into them. */
export function keptStatements(db: DatabaseSync): Prepare {
  const kept = new Map<string, StatementSync>()
  return (text) => {
    const statement = kept.get(text) ?? db.prepare(text)
    kept.set(text, statement)
    return statement
  }
}
