import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: {
    type: 'queue',
    queue: 'task-callbacks',
    concurrency: 8,
    // CALLBACK_GIVE_UP_MS ends it long before: where a queue waits an hour at most, that is some 30 tries.
    maxAttempts: 40,
    backoff: { initialMs: 5_000, factor: 4, maxMs: 6 * 60 * 60_000 },
  },
  timeoutMs: 15_000,
  secrets: ['webhook'],
} satisfies FunctionConfig
