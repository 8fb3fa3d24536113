import { expect, test } from 'vitest'
import { scheduleOf } from '../../triggers/timer.ts'
import { ncrontabOf } from './schedule.ts'

test.each([
  [{ everyMs: 15_000 }, '*/15 * * * * *'],
  [{ everyMs: 60_000 }, '0 * * * * *'],
  [{ everyMs: 300_000 }, '0 */5 * * * *'],
  [{ everyMs: 3_600_000 }, '0 0 * * * *'],
  [{ everyMs: 6 * 3_600_000 }, '0 0 */6 * * *'],
  [{ cron: '*/5 * * * *' }, '0 */5 * * * *'],
  [{ cron: '30 */5 * * * *' }, '30 */5 * * * *'],
])('%j is %s, and means the same', async (trigger, expression) => {
  expect(ncrontabOf(trigger)).toBe(expression)
  const [own, azure] = await Promise.all([scheduleOf(trigger), scheduleOf({ cron: expression })])
  for (let now = Date.UTC(2026, 0, 1, 7, 59, 59, 999), i = 0; i < 5; i++, now = own(now)!)
    expect(azure(now)).toBe(own(now))
})

test.each([{ everyMs: 100 }, { everyMs: 1_500 }, { everyMs: 7_000 }, { everyMs: 90_000 }, { everyMs: 48 * 3_600_000 }])(
  '%j is none',
  (trigger) => {
    expect(() => ncrontabOf(trigger)).toThrow(/trigger\.everyMs: .*got \d+ ms/)
  },
)
