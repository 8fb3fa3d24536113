/** What a scrape asks the queue and the store for: nothing is counted twice over replicas or lost over restarts. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { NotCounted, type QueueDriver } from '#shared/consumer.ts'

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
  const ask = async (queue: string): Promise<void> => {
    try {
      const { oldestMs, ...states } = await driver.stats(queue)
      for (const [state, count] of Object.entries(states)) depth.set({ queue, state }, count)
      age.set({ queue }, oldestMs / 1_000)
      reachable.set({ queue }, 1)
    } catch (error) {
      // Without a number there is no series: a zero, or the number before, would be a lie. The other metrics stand.
      if (!(error instanceof NotCounted)) reachable.set({ queue }, 0)
    }
  }
  let reading = Promise.resolve<unknown>(undefined)
  const read = (): Promise<unknown> => {
    for (const metric of [depth, age, reachable]) metric.reset()
    return (reading = Promise.all(queues.map(ask)))
  }
  Object.assign(depth, { collect: read })
  // Scraped after the depth, and with it: else they would be those of the scrape before.
  for (const metric of [age, reachable]) Object.assign(metric, { collect: () => reading })

  const help = 'Questions for changes of tasks, by a process that is told of none; 0 where notifications come.'
  const polls = new Counter({ name: 'task_change_polls_total', help, registers: [registry] })
  const collect = (): void => {
    polls.reset()
    polls.inc((tasks as Polling).polls?.() ?? 0)
  }
  Object.assign(polls, { collect })
}
