/** Runs checks one after another, and shows what each found. */
import { columns } from '../../cli/table.ts'

/** What cannot be looked at here, and why. */
export class Skipped extends Error {
  override readonly name = 'Skipped'
}

export interface Report {
  /** `look` gives what it saw, in a few words; it throws when that is wrong. True when all was as it should be. */
  check: (what: string, look: () => Promise<string>) => Promise<boolean>
  table(): string
  failed(): number
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

type Verdict = 'ok' | 'FAILED' | 'skipped'

export function openReport(say: (line: string) => void): Report {
  const rows: [what: string, verdict: Verdict, seconds: string, seen: string][] = []
  return {
    async check(what, look) {
      const started = performance.now()
      const end = (verdict: Verdict, seen: string): void => {
        const seconds = ((performance.now() - started) / 1_000).toFixed(1)
        rows.push([what, verdict, seconds, seen.split('\n', 1)[0]!])
        say(`${verdict.padEnd(7)} ${what} (${seconds} s): ${seen}`)
      }
      try {
        end('ok', await look())
        return true
      } catch (error) {
        const verdict = error instanceof Skipped ? 'skipped' : 'FAILED'
        end(verdict, messageOf(error))
        return verdict === 'skipped'
      }
    },
    table: () => columns([['what', '', 'seconds', 'seen'], ...rows]),
    failed: () => rows.filter(([, verdict]) => verdict === 'FAILED').length,
  }
}

/** Throws, saying what was expected and what came. */
export function expectThat(holds: boolean, expected: string, got: unknown): asserts holds {
  if (!holds) throw new Error(`expected ${expected}, got ${typeof got === 'string' ? got : JSON.stringify(got)}`)
}

/** Asks again and again; rejects with what it last saw. For what another program becomes, which tells nobody. */
export async function eventually<T>(
  ms: number,
  expected: string,
  look: () => Promise<[holds: boolean, seen: T]>,
): Promise<T> {
  const until = performance.now() + ms
  for (;;) {
    const [holds, seen] = await look()
    if (holds) return seen
    expectThat(performance.now() < until, `${expected} within ${ms / 1_000} s`, seen)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
