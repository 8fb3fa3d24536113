/** Collections as they must be before they are used: validated and indexed. */
import type { Db, IndexDescription } from 'mongodb'
import type { JsonSchema } from '#shared/task-schema.ts'
import { hasCode, isOutage } from './errors.ts'

const UNAUTHORIZED = 13
const NAMESPACE_EXISTS = 48
const INDEX_CONFLICTS = [85, 86]

/** Keywords of JSON Schema that $jsonSchema refuses; and the one that would refuse what a later version adds. */
const LEFT_OUT: ReadonlySet<string> = new Set(['$schema', 'id', 'default', 'format', 'additionalProperties'])

/**
 * In the dialect of MongoDB's $jsonSchema (https://www.mongodb.com/docs/manual/reference/operator/query/jsonSchema/):
 * draft 4, but without `integer`, since a number from JavaScript may be stored as int, long or double.
 */
export function mongoSchema(schema: JsonSchema): JsonSchema {
  const rewrite = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rewrite)
    if (typeof value !== 'object' || value === null) return value
    return mongoSchema(value as JsonSchema)
  }
  const entries = Object.entries(schema).flatMap(([keyword, value]): [string, unknown][] => {
    if (LEFT_OUT.has(keyword)) return []
    if (keyword === 'type' && value === 'integer') {
      return [
        ['type', 'number'],
        ['multipleOf', 1],
      ]
    }
    // Names of fields are no keywords, whatever they are called.
    if (keyword === 'properties') {
      const fields = Object.entries(value as Record<string, JsonSchema>)
      return [[keyword, Object.fromEntries(fields.map(([name, field]) => [name, mongoSchema(field)]))]]
    }
    return [[keyword, rewrite(value)]]
  })
  return Object.fromEntries(entries)
}

/**
 * Has the server refuse documents of another shape. `moderate`: one that is there already and does not fit may still
 * be changed. Where that cannot be had, the error is told and the collection used as it is: not every server knows
 * $jsonSchema, and to change what a collection was made with takes dbAdmin.
 */
export async function installValidator(
  db: Db,
  name: string,
  schema: JsonSchema,
  onError: (error: unknown) => void,
): Promise<void> {
  const rules = { validator: { $jsonSchema: mongoSchema(schema) }, validationLevel: 'moderate' }
  try {
    await db.createCollection(name, rules).catch(async (error: unknown) => {
      if (!hasCode(error, NAMESPACE_EXISTS)) throw error
      await db.command({ collMod: name, ...rules })
    })
  } catch (error) {
    if (isOutage(error) && !hasCode(error, UNAUTHORIZED)) throw error
    onError(error)
  }
}

export interface NamedIndex extends IndexDescription {
  name: string
}

/**
 * Makes those that are not there. One of the same name that someone made otherwise stays as it is, and is told of:
 * answers are right with any index, only slower. Without a limit of time, for those over many documents.
 */
export async function ensureIndexes(
  db: Db,
  collection: string,
  indexes: readonly NamedIndex[],
  onError: (error: unknown) => void,
): Promise<void> {
  const make = async (some: readonly NamedIndex[]): Promise<boolean> => {
    try {
      await db.collection(collection).createIndexes([...some])
      return true
    } catch (error) {
      if (!hasCode(error, ...INDEX_CONFLICTS)) throw error
      if (some.length === 1) onError(error)
      return false
    }
  }
  if (await make(indexes)) return
  for (const index of indexes) await make([index])
}
