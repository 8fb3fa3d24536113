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

/** The newest answer on a connection: what came before it is sent. Undefined where nothing was asked yet. */
export function answerOn(socket: Answering): Answer | undefined {
  return socket[NEWEST]
}

const NONE: Headers = {}

/** Headers are added in the one writeHead that @hono/node-server makes: setHeader would take Node off its fast path. */
export class Answer<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  #beside = NONE

  constructor(...args: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...args)
    const socket: Answering = args[0].socket
    socket[NEWEST] = this
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
