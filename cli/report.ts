/** What a command tells whoever started it. */
import { ConfigError } from '#shared/errors.ts'

/** A fault that the person at the keyboard can mend: told in one line, without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** Written to stderr: stdout is the log's. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

export function fail(error: unknown): never {
  if (error instanceof ConfigError) say(`The environment has a bad value.\n${error.message}`)
  else if (error instanceof CommandError) say(error.message)
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exit(1)
}
