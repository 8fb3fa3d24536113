import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'http', routes: ['GET /tasks/{taskId}'], auth: 'link' },
  // WAIT_SECONDS_MAX and a margin.
  timeoutMs: 35_000,
} satisfies FunctionConfig
