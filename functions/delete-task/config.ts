import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'http', routes: ['DELETE /tasks/{taskId}'], auth: 'key' },
  timeoutMs: 10_000,
} satisfies FunctionConfig
