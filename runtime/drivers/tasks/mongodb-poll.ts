/** One look for all who wait: which of their tasks have changed. For as long as nobody else tells. */

export interface Poll {
  /** Looks at the task as well, from now on. */
  add(id: string): void
  remove(id: string): void
  /** Queries so far, of this process. */
  count(): number
  close(): void
}

export interface PollOptions {
  /** Of each of the tasks that is there, what is different after each change. */
  revisions: (ids: string[]) => Promise<Map<string, number>>
  onChange: (id: string) => void
  /** True while changes are told of by other means: then it is looked only now and then, for what was lost on the way. */
  isTold: () => boolean
  everyMs: number
  /** While changes are told of. */
  seldomMs: number
}

const GONE = -1

export function sharedPoll({ revisions, onChange, isTold, everyMs, seldomMs }: PollOptions): Poll {
  /** Undefined until it was looked at: between its reader's own look and ours anything may have happened. */
  const watched = new Map<string, number | undefined>()
  let timer: NodeJS.Timeout | null = null
  let queries = 0
  let looking = false
  let wasTold = true
  let lookedAt = 0

  async function look(): Promise<void> {
    queries++
    looking = true
    lookedAt = Date.now()
    try {
      const ids = [...watched.keys()]
      const found = await revisions(ids)
      for (const id of ids) {
        const now = found.get(id) ?? GONE
        if (!watched.has(id) || now === watched.get(id)) continue
        watched.set(id, now)
        onChange(id)
      }
    } catch {
      // Away: the next look comes soon, and finds what this one would have.
      wasTold = false
    } finally {
      looking = false
    }
  }

  function tick(): void {
    if (looking) return
    const told = isTold()
    // Once more when the telling begins again, for what nobody told of meanwhile.
    const due = !told || !wasTold || Date.now() - lookedAt >= seldomMs
    wasTold = told
    if (due) void look()
  }

  return {
    add: (id) => {
      watched.set(id, undefined)
      if (timer) return
      lookedAt = Date.now()
      wasTold = true
      timer = setInterval(tick, everyMs)
      timer.unref()
    },
    remove: (id) => {
      watched.delete(id)
      if (watched.size > 0 || !timer) return
      clearInterval(timer)
      timer = null
    },
    count: () => queries,
    close: () => {
      if (timer) clearInterval(timer)
      timer = null
    },
  }
}
