/** Which modules are written as one file: each file that is imported costs a start more than the code that is in it. */
import type { Plugin } from 'rolldown'

export interface Together {
  /** The module to begin with that is to be loaded quickly. */
  start: RegExp
  /** Other modules to begin with, which share code with the start and must load none that is the start's alone. */
  others: RegExp
}

interface Chunks {
  plugin: Plugin
  groups: { name: string; test: (id: string) => boolean; priority: number }[]
}

/** All that a start needs in two files: what others need too, and the rest, which may import the first. */
export function chunksOf({ start, others }: Together): Chunks {
  const ofStart = new Set<string>()
  const ofOthers = new Set<string>()
  const plugin: Plugin = {
    name: 'chunks',
    buildEnd() {
      const reach = (id: string, reached: Set<string>): void => {
        if (reached.has(id)) return
        reached.add(id)
        for (const next of this.getModuleInfo(id)?.importedIds ?? []) reach(next, reached)
      }
      for (const id of this.getModuleIds()) {
        if (start.test(id)) reach(id, ofStart)
        if (others.test(id)) reach(id, ofOthers)
      }
    },
  }
  return {
    plugin,
    groups: [
      { name: 'common', test: (id) => ofStart.has(id) && ofOthers.has(id), priority: 2 },
      { name: 'start', test: (id) => ofStart.has(id), priority: 1 },
    ],
  }
}
