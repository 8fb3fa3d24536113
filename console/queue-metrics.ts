/** What a scrape asks the queue and the store for: nothing is counted twice over replicas or lost over restarts. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { NotCounted, type QueueDriver, type QueueStats } from '#shared/consumer.ts'

/** A store whose changes come by asking, where no other process tells of them, says how often it asked. */
interface Polling {
  polls?: () => number
}

export interface QueueSources {
  queue: QueueDriver
  tasks: object
}

export function collectQueues(
  registry: Registry,
  { queue: driver, tasks }: QueueSources,
  queues: readonly string[],
): void {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const depth = gauge('queue_messages', 'Messages by state; dead ones are on <queue>-dead.', 'queue', 'state')
  const age = gauge('queue_oldest_message_seconds', 'Age of the oldest message that is ready.', 'queue')
  const reachable = gauge('queue_reachable', '1 when the queue answered this scrape, else 0.', 'queue')
  const show = (queue: string, { oldestMs, ...states }: QueueStats): void => {
    for (const [state, count] of Object.entries(states)) depth.set({ queue, state }, count)
    age.set({ queue }, oldestMs / 1_000)
    reachable.set({ queue }, 1)
  }
  const askAll = async (): Promise<void> => {
    const answers = await Promise.allSettled(queues.map(async (queue) => await driver.stats(queue)))
    // Only now, and in one go: a scrape that began before is not done with what is shown.
    for (const metric of [depth, age, reachable]) metric.reset()
    for (const [i, answer] of answers.entries()) {
      const queue = queues[i]!
      // Without a number there is no series: a zero, or the number before, would be a lie. The other metrics stand.
      if (answer.status === 'fulfilled') show(queue, answer.value)
      else if (!(answer.reason instanceof NotCounted)) reachable.set({ queue }, 0)
    }
  }
  // Of all three, and of all scrapes that come while it is under way.
  let reading: Promise<void> | undefined
  const read = (): Promise<void> => (reading ??= askAll().finally(() => (reading = undefined)))
  for (const metric of [depth, age, reachable]) Object.assign(metric, { collect: read })

  const help = 'Questions for changes of tasks, by a process that is told of none; 0 where notifications come.'
  const polls = new Counter({ name: 'task_change_polls_total', help, registers: [registry] })
  const collect = (): void => {
    polls.reset()
    polls.inc((tasks as Polling).polls?.() ?? 0)
  }
  Object.assign(polls, { collect })
}
