/** A clock that can be moved on: what is due in a minute, or given up after a day, is seen now. Timers go on as they are. */

const OwnDate = Date
let aheadMs = 0

class MovedDate extends OwnDate {
  constructor(...args: [] | [value: number | string | Date]) {
    if (args.length === 0) super(MovedDate.now())
    // What is given stands as it is.
    else super(...args)
  }
  static override now(): number {
    return OwnDate.now() + aheadMs
  }
}

export function moveClock(ms: number): void {
  aheadMs += ms
  globalThis.Date = MovedDate as DateConstructor
}
