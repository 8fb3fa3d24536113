/** A timer's schedule as Azure writes it: NCRONTAB, six fields, the first of which is seconds; in UTC. */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '#shared/limits.ts'
import type { ResolvedConfig } from '../../loader.ts'

type Timer = Extract<ResolvedConfig['trigger'], { type: 'timer' }>

function every(ms: number): string | null {
  const fits = (unit: number, whole: number): boolean => ms % unit === 0 && whole % ms === 0
  if (fits(SECOND_MS, MINUTE_MS)) return ms === MINUTE_MS ? '0 * * * * *' : `*/${ms / SECOND_MS} * * * * *`
  if (fits(MINUTE_MS, HOUR_MS)) return ms === HOUR_MS ? '0 0 * * * *' : `0 */${ms / MINUTE_MS} * * * *`
  if (fits(HOUR_MS, 24 * HOUR_MS)) return `0 0 */${ms / HOUR_MS} * * *`
  return null
}

/** Throws for an interval that no cron expression can say: those divide a minute, an hour or a day. */
export function ncrontabOf({ everyMs, cron }: Omit<Timer, 'type'>): string {
  if (everyMs === undefined) return cron!.trim().split(/\s+/).length === 5 ? `0 ${cron}` : cron!
  const expression = every(everyMs)
  if (expression === null) {
    throw new Error(`trigger.everyMs: expected whole seconds that divide a minute, an hour or a day, got ${everyMs} ms`)
  }
  return expression
}
