/** Keeps callers for a while, unless all are let go before. */
export function createKeeper() {
  const kept = new Set<() => void>()
  return {
    keep: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const go = (): void => {
          clearTimeout(timer)
          kept.delete(go)
          resolve()
        }
        const timer = setTimeout(go, Math.max(ms, 0))
        kept.add(go)
      }),
    letGo: (): void => kept.forEach((go) => go()),
  }
}
