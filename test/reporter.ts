/**
 * The run's last line, `N passed, N failed, N skipped`, after the names of what was skipped and of what failed: nothing is
 * left out in silence, and whoever has only the end of a log still learns what failed.
 */
import { writeSync } from 'node:fs'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state: string): number => tests.filter((test) => stateOf(test) === state).length
    const failed = [
      ...modules.flatMap(failedIn),
      ...errors.map((error) => `failed: outside any test: ${firstLine(error)}`),
    ]
    const lines = [...modules.flatMap((module) => skippedIn(module, module.relativeModuleId)), ...failed]
    lines.push(`${count('passed')} passed, ${failed.length} failed, ${count('skipped')} skipped`)
    // After the default reporter's summary, which is written when all reporters were told of the end.
    process.once('exit', () => print(`${lines.join('\n')}\n`))
  }
}

/** What nobody ran until the end (Vitest calls tests two suites deep in a skipped one so) was skipped. */
function stateOf(test: TestCase): 'passed' | 'failed' | 'skipped' {
  const { state } = test.result()
  return state === 'pending' ? 'skipped' : state
}

/** A suite that is skipped whole is one line with its count; what is skipped among others has a line of its own. */
function skippedIn(node: TestModule | TestSuite, name: string): string[] {
  const skipped = [...node.children.allTests()].map((test) => stateOf(test) === 'skipped')
  if (!skipped.includes(true)) return []
  if (!skipped.includes(false))
    return [`skipped: ${name} (${skipped.length === 1 ? '1 test' : `${skipped.length} tests`})`]
  return [...node.children].flatMap((child: TestCase | TestSuite) => {
    const path = `${name} > ${child.name}`
    if (child.type === 'suite') return skippedIn(child, path)
    return stateOf(child) === 'skipped' ? [`skipped: ${path}`] : []
  })
}

/** A file that could not be imported and a hook that threw have no test of their own, and are failures all the same. */
function failedIn(module: TestModule): string[] {
  const failed = (name: string, errors: readonly unknown[]): string => `failed: ${name}: ${firstLine(errors[0])}`
  const hooks = [module, ...module.children.allSuites()].flatMap((node) => {
    const name = node.type === 'module' ? node.relativeModuleId : `${module.relativeModuleId} > ${node.fullName}`
    return node.errors().length > 0 ? [failed(name, node.errors())] : []
  })
  const tests = [...module.children.allTests('failed')].map((test) =>
    failed(`${module.relativeModuleId} > ${test.fullName}`, test.result().errors ?? []),
  )
  return [...hooks, ...tests]
}

function firstLine(error: unknown): string {
  const message = typeof error === 'object' && error && 'message' in error ? error.message : error
  return String(message).split('\n', 1)[0]!
}

/**
 * Writes all of it before it returns. A pipe may be non-blocking (whoever shares it decides), and then what does not fit
 * into it at once would be written later: at the exit there is no later, and the count would be lost.
 */
function print(text: string): void {
  const bell = new Int32Array(new SharedArrayBuffer(4))
  for (let rest = Buffer.from(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(bell, 0, 0, 10)
    }
  }
}
