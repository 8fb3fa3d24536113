import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'queue', queue: 'image-processing', concurrency: 2, maxAttempts: 4 },
  timeoutMs: 60_000,
  isolation: 'process',
} satisfies FunctionConfig
