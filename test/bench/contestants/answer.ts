/** The inside of a contestant: one message, one answer. Ends with whoever started it. */
export function answerMessages(answer: (task: never) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', (task) => {
    answer(task as never).then(
      (value) => process.send!({ value }),
      (error: unknown) =>
        process.send!({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
}
