import { defineConfig } from 'vitest/config'
import { PRODUCT } from './test/project/folders.ts'

export default defineConfig({
  test: {
    include: [`{${PRODUCT.join(',')},test}/**/*.test.ts`],
    pool: 'forks',
    // Most of them wait for processes of their own: a core kept free would stand idle.
    maxWorkers: '100%',
    reporters: ['default', './test/reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // How long something may take to become true is no test of speed.
    expect: { poll: { timeout: 20_000 } },
  },
})
