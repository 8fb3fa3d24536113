import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: {
    type: 'http',
    routes: ['GET /tasks/{taskId}/variants/{variant}', 'GET /tasks/{taskId}/original'],
    auth: 'link',
  },
  // WAIT_SECONDS_MAX, DERIVE_WAIT_MS and a margin.
  timeoutMs: 35_000,
} satisfies FunctionConfig
