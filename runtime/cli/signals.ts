/** What a signal does to a process that serves. */

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
