/** What a signal, or a promise that nobody waits for, does to a process that serves. */

/** First SIGTERM or SIGINT: drain, exit 0. A second one exits at once. */
export function drainOnSignal(close: () => Promise<void>, say: (line: string) => void): void {
  let asked = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(1)
    asked = true
    say(`${signal}: finishing what runs; a second ${signal} ends at once`)
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        say(String(error))
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

/**
 * A careless function must not end the process for all: what it left behind and rejects later is told, and that is all.
 * So is each write that is refused because its deadline passed, when the function does not wait for it.
 */
export function outliveStrays(say: (line: string) => void): void {
  process.on('unhandledRejection', (reason) => {
    say(`A promise that nobody waits for was rejected: ${reason instanceof Error ? reason.stack : String(reason)}`)
  })
}
