import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'http', routes: ['POST /tasks'] },
  timeoutMs: 35_000,
} satisfies FunctionConfig
