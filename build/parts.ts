/** What is deployed together: each function alone, and once more those of HTTP behind one address. */
import { CommandError } from '../cli/report.ts'
import { checkApp, inlineHost } from '../runtime/host.ts'
import { discover, type FoundFunction, indexOf } from '../runtime/loader.ts'

/**
 * It answers all routes, and what belongs to no single one: health, documentation, OPTIONS, 404 and 405. Where a platform
 * has no router of its own it is what is deployed; elsewhere it stands behind the routes.
 */
export const API = 'api'

export interface Part {
  name: string
  functions: FoundFunction[]
}

/** Throws CommandError, which names every function that is broken. Of the functions, their configs alone are read. */
export async function functionsIn(folder: string): Promise<FoundFunction[]> {
  const hostFor = ({ folder: own, config }: FoundFunction) =>
    inlineHost(indexOf(own), (app) => checkApp(app, config.trigger.type))
  const { functions, broken } = await discover({ folder, hostFor })
  const faults = broken.map(({ name, error }) => `${name}: ${error}`)
  if (functions.some(({ name }) => name === API)) faults.push(`${API}: the name of all http functions together`)
  if (faults.length > 0) throw new CommandError(`Nothing was built.\n${faults.join('\n')}`)
  if (functions.length === 0) throw new CommandError(`There are no functions in ${folder}.`)
  return functions
}

export function partsOf(functions: readonly FoundFunction[]): Part[] {
  const alone = functions.map((fn): Part => ({ name: fn.name, functions: [fn] }))
  const http = functions.filter(({ config }) => config.trigger.type === 'http')
  return http.length === 0 ? alone : [...alone, { name: API, functions: http }]
}

/** Those that were asked for; all where none was. Throws CommandError for a name that is none. */
export function chosen(parts: readonly Part[], names: readonly string[]): Part[] {
  const unknown = names.filter((name) => !parts.some((part) => part.name === name))
  if (unknown.length > 0) {
    throw new CommandError(`Unknown: ${unknown.join(', ')}. There are ${parts.map(({ name }) => name).join(', ')}.`)
  }
  return parts.filter(({ name }) => names.length === 0 || names.includes(name))
}
