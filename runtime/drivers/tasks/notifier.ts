/**
 * Tells the other processes that a task changed. Best effort: what it loses, the store's own poll finds. Redis pub/sub
 * where there is one.
 */
export interface Notifier {
  publish(taskId: string): void
  /** `onChange` runs for each change of this task by any process, this one included, until the function returned is called. */
  subscribe(taskId: string, onChange: () => void): () => void
  /** False while nothing arrives: whoever waits must poll. */
  readonly connected: boolean
}
