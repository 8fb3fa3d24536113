import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'timer', everyMs: 15_000 },
  timeoutMs: 60_000,
} satisfies FunctionConfig
