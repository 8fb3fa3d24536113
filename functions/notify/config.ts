import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: {
    type: 'queue',
    queue: 'task-callbacks',
    concurrency: 8,
    // 5 s, 20 s, 80 s, … 6 h: the fifteenth try comes after CALLBACK_GIVE_UP_MS, also where jitter halves each wait.
    maxAttempts: 15,
    backoff: { initialMs: 5_000, factor: 4, maxMs: 6 * 60 * 60_000 },
  },
  timeoutMs: 15_000,
  secrets: ['webhook'],
} satisfies FunctionConfig
