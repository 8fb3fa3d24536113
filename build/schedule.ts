/** Timers of clouds: none knows less than a minute. */
import { MINUTE_MS } from '#shared/limits.ts'
import type { FoundFunction, ResolvedConfig } from '../runtime/loader.ts'
import { ncrontabOf } from '../runtime/targets/azure/schedule.ts'

type Timer = Extract<ResolvedConfig['trigger'], { type: 'timer' }>

/** Five fields, in UTC. Throws for what five fields cannot say; an interval below a minute is a minute. */
export function cronOf({ name, config: { trigger } }: FoundFunction): string {
  const { everyMs, cron } = trigger as Timer
  try {
    const fields = ncrontabOf({ everyMs: everyMs && Math.max(everyMs, MINUTE_MS), cron })
      .trim()
      .split(/\s+/)
    const [seconds, ...rest] = fields
    if (rest.length === 5 && seconds === '0') return rest.join(' ')
  } catch (error) {
    throw new Error(`${name}: config.ts: ${(error as Error).message}`, { cause: error })
  }
  throw new Error(`${name}: config.ts: trigger.cron: expected whole minutes in five fields, got ${cron}`)
}

const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN']

/** As EventBridge writes it: one of both days is a question mark, steps have a beginning, and a week begins elsewhere. */
export function eventBridgeOf(fn: FoundFunction): string {
  const [minute, hour, day, month, weekday] = cronOf(fn).split(' ') as [string, string, string, string, string]
  if (day !== '*' && weekday !== '*') {
    throw new Error(
      `${fn.name}: config.ts: trigger.cron: EventBridge takes a day of the month or of the week, not both`,
    )
  }
  const from = (first: number, field: string): string => field.replace(/^\*\//, `${first}/`)
  const days = weekday === '*' ? '?' : weekday.replaceAll(/(?<![/\w])[0-7](?!\w)/g, (digit) => DAYS[Number(digit)]!)
  return `cron(${from(0, minute)} ${from(0, hour)} ${weekday === '*' ? from(1, day) : '?'} ${from(1, month)} ${days} *)`
}
