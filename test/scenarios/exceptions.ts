/** What a host cannot do: each scenario that is left out for it, with the reason. No other may be. */
import { afterAll, beforeEach, expect, type RunnerTask } from 'vitest'

/** The reason, by the names of the scenario and of what it stands in, behind the target's: `edge > a HEAD …`. */
export type Exceptions = Readonly<Record<string, string>>

const BETWEEN = ' > '

/** The target's own suite, and what stands between it and the task. */
function pathOf(task: RunnerTask, suite: string): RunnerTask[] {
  const path: RunnerTask[] = []
  for (let each: RunnerTask | undefined = task; each; each = each.suite) {
    path.unshift(each)
    if (each.name === suite) break
  }
  return path
}

function nameOf(task: RunnerTask, suite: string): string {
  const [, ...inner] = pathOf(task, suite)
  return inner.map(({ name }) => name).join(BETWEEN)
}

function namesIn(task: RunnerTask, suite: string): string[] {
  return task.type === 'suite' ? task.tasks.flatMap((each) => namesIn(each, suite)) : [nameOf(task, suite)]
}

/** In the suite of a target, by its name: skips what is excepted, and fails where an exception names no scenario. */
export function leaveOut(suite: string, exceptions: Exceptions): void {
  let names: Set<string> | undefined
  beforeEach(({ task, skip }) => {
    names ??= new Set(namesIn(pathOf(task, suite)[0]!, suite))
    const reason = exceptions[nameOf(task, suite)]
    if (reason !== undefined) skip(reason)
  })
  afterAll(() => {
    expect(Object.keys(exceptions).filter((name) => !names?.has(name))).toEqual([])
  })
}
