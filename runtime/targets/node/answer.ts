/** node:http's answer, with headers beside those of the Response; and which of them a connection is at. */
import { type IncomingMessage, type OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

type Headers = Record<string, OutgoingHttpHeader>

/** Names without regard to case; what is in `theirs` wins. */
function merged(own: Headers, theirs: Headers): Headers {
  const all = { ...own }
  for (const name in theirs) {
    const lower = name.toLowerCase()
    if (lower !== name && lower in own) delete all[lower]
    all[name] = theirs[name]!
  }
  return all
}

/** Kept on the connection itself: a weak map of them costs each request more than all else here. */
const NEWEST = Symbol('newest answer')

interface Answering extends Duplex {
  [NEWEST]?: Answer
}

/** The answer to the newest request on a connection. Undefined where nothing was asked yet. */
export function answerOn(socket: Answering): Answer | undefined {
  return socket[NEWEST]
}

const NONE: Headers = {}

/** Headers are added in the one writeHead that @hono/node-server makes: setHeader would take Node off its fast path. */
export class Answer<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  #beside = NONE
  /** The one that must be sent before this; none where it was when this was asked for. */
  #before: Answer | undefined

  constructor(...args: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...args)
    const socket: Answering = args[0].socket
    const before = socket[NEWEST]
    if (before && !before.writableFinished) {
      // Whoever never waits for an answer would else make a chain of all that he ever asked for.
      if (before.isNext) before.#before = undefined
      this.#before = before
    }
    socket[NEWEST] = this
  }

  /** With requests that were sent before the answers to earlier ones: all of those are sent. */
  get isNext(): boolean {
    return this.#before?.writableFinished ?? true
  }

  /** Names are lower-case; those of the Response win. The object is kept, and not changed. */
  setBeside(headers: Headers): void {
    this.#beside = this.#beside === NONE ? headers : { ...this.#beside, ...headers }
  }

  override writeHead(status: number, ...rest: unknown[]): this {
    const theirs = rest.at(-1)
    return super.writeHead(status, merged(this.#beside, typeof theirs === 'object' ? (theirs as Headers) : {}))
  }
}
