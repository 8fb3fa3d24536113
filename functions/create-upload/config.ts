import type { FunctionConfig } from '#shared/function.ts'

export default {
  // `link`: who asks for an upload needs a key, and the function says so; who sends the file has the link alone.
  trigger: { type: 'http', routes: ['POST /uploads', 'PUT /uploads/{taskId}', 'POST /uploads/{taskId}'], auth: 'link' },
  // WAIT_SECONDS_MAX and a margin.
  timeoutMs: 35_000,
} satisfies FunctionConfig
