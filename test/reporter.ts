/** The run's last line, `N passed, N failed, N skipped`, after the names of what was skipped: nothing is left out in silence. */
import type { Reporter, TestModule } from 'vitest/node'

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    const skipped: string[] = []
    for (const module of modules) {
      // A file that could not be imported has no test to count, and is a failure all the same.
      if (module.state() === 'failed' && [...module.children.allTests()].length === 0) count.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'pending') continue
        count[state]++
        if (state === 'skipped') skipped.push(test.fullName)
      }
    }
    // After the default reporter's summary, which is written when all reporters were told of the end.
    process.once('exit', () => {
      for (const name of skipped) console.log(`skipped: ${name}`)
      console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
    })
  }
}
