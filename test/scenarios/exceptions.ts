/** What a host cannot do: each scenario that is left out for it, with the reason. No other may be. */
import { afterAll, beforeEach, expect, type RunnerTask } from 'vitest'

/** The reason, by the names of the scenario and of what it stands in, behind the target's: `edge > a HEAD …`. */
export type Exceptions = Readonly<Record<string, string>>

const BETWEEN = ' > '

/** From the target's own suite inwards. */
function pathOf(task: RunnerTask): RunnerTask[] {
  const path: RunnerTask[] = []
  for (let each: RunnerTask | undefined = task; each; each = each.suite) path.unshift(each)
  return path
}

function nameOf(task: RunnerTask): string {
  const [, ...inner] = pathOf(task)
  return inner.map(({ name }) => name).join(BETWEEN)
}

function namesIn(task: RunnerTask): string[] {
  return task.type === 'suite' ? task.tasks.flatMap(namesIn) : [nameOf(task)]
}

/** In the suite of a target: skips what is excepted, and fails where an exception names no scenario. */
export function leaveOut(exceptions: Exceptions): void {
  let names: Set<string> | undefined
  beforeEach(({ task, skip }) => {
    names ??= new Set(namesIn(pathOf(task)[0]!))
    const reason = exceptions[nameOf(task)]
    if (reason !== undefined) skip(reason)
  })
  afterAll(() => {
    expect(Object.keys(exceptions).filter((name) => !names?.has(name))).toEqual([])
  })
}
