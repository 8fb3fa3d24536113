/**
 * Careful clients: each upload is sent until it is acknowledged, never twice under two keys, and no faster than tasks end:
 * a queue that only grows would prove that the machine is small, not that nothing is lost.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { IDEMPOTENCY_LOCK_MS } from '#shared/limits.ts'
import { SETTLE_MS } from './judge.ts'

// Between two requests of a client.
const PACE_MS = 100
// Uploads of a client that wait for another try, before it sends new ones.
const OPEN_MAX = 10
// Acknowledged tasks of a client that were not seen to end, before it sends new uploads.
const UNFINISHED_MAX = 40

export class Clients {
  readonly acknowledged = new Map<string, string>()
  url = ''
  lastRefusal = ''
  #stopped = false
  readonly #pictures: Buffer[]
  readonly #running: Promise<void>[]

  constructor(pictures: Buffer[], count: number) {
    this.#pictures = pictures
    this.#running = Array.from({ length: count }, (_, index) => this.#upload(index))
  }

  /** Sends each upload once; one that was not acknowledged is tried again later under its key, as a careful client does. */
  async #upload(start: number): Promise<void> {
    const again: [string, Buffer][] = []
    const unfinished: string[] = []
    const send = async ([key, bytes]: [string, Buffer]): Promise<void> => {
      const id = await this.#post(key, bytes).catch((error: unknown) => {
        this.lastRefusal = inspect(error)
        return null
      })
      if (id) {
        this.acknowledged.set(key, id)
        unfinished.push(id)
      } else again.push([key, bytes])
      await delay(PACE_MS)
    }
    for (let i = start; !this.#stopped; i++) {
      while (unfinished.length >= UNFINISHED_MAX && !this.#stopped) {
        const id = unfinished.shift()!
        if (!(await this.#hasEnded(id))) unfinished.push(id)
        await delay(PACE_MS)
      }
      const next = again.length < OPEN_MAX ? undefined : again.shift()
      await send(next ?? [randomUUID(), this.#pictures[i % this.#pictures.length]!])
    }
    // The last runtime lives: whatever is open now must be taken, once the locks of the dead requests are over.
    const deadline = Date.now() + IDEMPOTENCY_LOCK_MS + SETTLE_MS
    while (again.length > 0 && Date.now() < deadline) await send(again.shift()!)
    if (again.length > 0)
      throw new Error(`${again.length} uploads were never acknowledged; the last answer: ${this.lastRefusal}`)
  }

  /** False also where there is no answer: it is asked for again. */
  async #hasEnded(id: string): Promise<boolean> {
    const response = await fetch(`${this.url}/tasks/${id}`).catch(() => null)
    const { status } = ((await response?.json().catch(() => null)) ?? {}) as { status?: string }
    return status === 'completed' || status === 'failed'
  }

  async #post(key: string, bytes: Buffer): Promise<string | null> {
    const form = new FormData()
    form.set('image', new Blob([new Uint8Array(bytes)]), 'a.jpg')
    form.set('variants', '160x160,80x80')
    form.set('metadata', JSON.stringify({ upload: key }))
    const response = await fetch(`${this.url}/tasks`, {
      method: 'POST',
      body: form,
      headers: { 'Idempotency-Key': key },
    })
    const body = (await response.json()) as { id: string; detail?: string }
    if (response.status === 202) return body.id
    throw new Error(`${response.status} ${body.detail}`)
  }

  /** Nobody waits any more, and nothing is counted. */
  abandon(): void {
    this.#stopped = true
    this.url = ''
    for (const running of this.#running) running.catch(() => undefined)
  }

  /** Resolves when every upload was acknowledged; the runtime of `url` must stay alive. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }
}
