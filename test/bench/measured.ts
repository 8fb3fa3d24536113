/** What a row of the table says, and how rounds become one. */

export interface Measured {
  name: string
  limit: string
  measured: string
  /** Null where there is no limit to be met. */
  met: boolean | null
  /** By the clock, so that whatever else runs on the machine is in the figure: a verdict for an idle machine alone. */
  byClock?: true
  /** Of one operation: ours, then theirs. */
  cpu?: string
  wall?: string
}

/** What one operation took, on average over a round. */
export interface Sample {
  cpuMs: number
  wallMs: number
}

export interface Round {
  ours: Sample
  theirs: Sample
}

export interface Spread {
  median: number
  min: number
  max: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const median = (sorted[Math.floor(middle - 0.5)]! + sorted[Math.floor(middle)]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

export function show({ median, min, max }: Spread, unit = ''): string {
  const digits = unit === '' ? 2 : 1
  return `${median.toFixed(digits)}${unit} (${min.toFixed(digits)}..${max.toFixed(digits)})`
}

function pair(rounds: readonly Round[], of: keyof Sample): string {
  const text = (side: keyof Round): string => spreadOf(rounds.map((round) => round[side][of])).median.toPrecision(3)
  return `${text('ours')} : ${text('theirs')} ms`
}

/** The ratio of each round, since what disturbs the machine disturbs both contestants of a round. */
export function ratioRow(name: string, limit: { max: number } | null, rounds: readonly Round[]): Measured {
  const ratio = spreadOf(rounds.map(({ ours, theirs }) => ours.cpuMs / theirs.cpuMs))
  return {
    name,
    limit: limit ? `≤ ${limit.max.toFixed(2)}` : '',
    measured: show(ratio),
    met: limit ? ratio.median <= limit.max : null,
    cpu: pair(rounds, 'cpuMs'),
    wall: pair(rounds, 'wallMs'),
  }
}

/** Operations per second, ours over theirs. */
export function rateRow(name: string, limit: { min: number } | null, rounds: readonly Round[]): Measured {
  const ratio = spreadOf(rounds.map(({ ours, theirs }) => theirs.wallMs / ours.wallMs))
  return {
    name,
    limit: limit ? `≥ ${limit.min.toFixed(2)}` : '',
    measured: show(ratio),
    met: limit ? ratio.median >= limit.min : null,
    byClock: true,
    cpu: pair(rounds, 'cpuMs'),
    wall: pair(rounds, 'wallMs'),
  }
}
