import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'http', routes: ['GET /tasks'], auth: 'key' },
  timeoutMs: 10_000,
} satisfies FunctionConfig
