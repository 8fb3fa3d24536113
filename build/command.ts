/** `npm run build -- <target> [functions…]`: what is deployed, in dist/<target>. */
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { CommandError, fail, say } from '../cli/report.ts'
import { columns } from '../cli/table.ts'
import { build, type Built } from './build.ts'
import { CLOUDS } from './entries.ts'
import { ARCHITECTURES } from './packages.ts'

const TARGETS = [...CLOUDS, 'node'] as const
const USAGE = `npm run build -- <target> [functions…] [--arch=${ARCHITECTURES.join('|')}]
The targets are ${TARGETS.join(', ')}; without functions all of them are built.`

function oneOf<Name extends string>(names: readonly Name[], given: string | undefined): Name {
  const found = names.find((name) => name === given)
  if (found === undefined) throw new CommandError(USAGE)
  return found
}

function size(bytes: number): string {
  return bytes === 0 ? '' : `${(bytes / 1_000).toFixed(0)} kB`
}

export function sizes(made: readonly Built[]): string {
  const rows = made.map(({ folder, codeBytes, mapBytes, packageBytes }) => [
    relative('.', folder),
    size(codeBytes),
    size(packageBytes),
    size(mapBytes),
  ])
  return columns([['folder', 'code', 'packages', 'source maps'], ...rows])
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, allowPositionals: true, options: { arch: { type: 'string', default: process.arch } } })
  } catch (error) {
    throw new CommandError(`${(error as Error).message}\n${USAGE}`)
  }
}

export async function run(args: string[]): Promise<void> {
  try {
    const { values, positionals } = parsed(args)
    const [target, ...names] = positionals
    const architecture = oneOf(ARCHITECTURES, values.arch)
    const made = await build({ target: oneOf(TARGETS, target), names, architecture })
    say(sizes(made))
    const missing = [...new Set(made.flatMap((each) => each.missing))]
    if (missing.length > 0) say(`Without S3: npm run clouds installs ${missing.join(' and ')}.`)
  } catch (error) {
    fail(error)
  }
}
