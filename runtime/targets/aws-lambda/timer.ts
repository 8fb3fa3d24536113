/** EventBridge: rules and schedules of the Scheduler, at the instant that they were set for. */
import type { Context, ScheduledEvent } from 'aws-lambda'
import type { CloudFunction } from '../cloud/open.ts'

/** The one timer of a bundle, or the one that the rule's name ends with: `revela-sweep-tasks`. */
function timerOf({ functions }: CloudFunction, resources: readonly string[]): string | undefined {
  const timers = functions.filter(({ config: { trigger } }) => trigger.type === 'timer')
  if (timers.length === 1) return undefined
  return timers.find(({ name }) => resources.some((arn) => arn.endsWith(`/${name}`) || arn.endsWith(`-${name}`)))?.name
}

/** Rejects when the run failed: Lambda's tries again find the instant taken, unless it was never reached. */
export async function takeTick(cloud: CloudFunction, event: ScheduledEvent, context: Context): Promise<void> {
  const slot = Date.parse(event.time)
  if (Number.isNaN(slot)) throw new Error(`Expected the time of a scheduled event, got ${event.time}.`)
  await cloud.tick(slot, context.getRemainingTimeInMillis(), timerOf(cloud, event.resources))
}
