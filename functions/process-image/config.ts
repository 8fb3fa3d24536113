import type { FunctionConfig } from '#shared/function.ts'

export default {
  trigger: { type: 'queue', queue: 'image-processing', concurrency: 2, maxAttempts: 4 },
  timeoutMs: 60_000,
  isolation: 'process',
  calls: [
    'tasks.get',
    'tasks.claim',
    'tasks.advance',
    'tasks.settle',
    'tasks.recordDerived',
    'tasks.discardOriginal',
    'cache.set',
  ],
} satisfies FunctionConfig
