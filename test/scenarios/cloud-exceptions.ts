/** What no cloud can do, or not with what its places have here: by reason, for the targets that it holds for. */
import type { Exceptions } from './exceptions.ts'

export function because(reason: string, ...names: string[]): Exceptions {
  return Object.fromEntries(names.map((name) => [name, reason]))
}

export const ANY_HOST = because(
  'without keys a cloud target starts with AUTH=platform alone: the platform has asked who is calling, by any name',
  ...['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1'].map(
    (host) => `without keys > a server without keys > answers 421 or 400 to Host ${host}`,
  ),
)

export const UNSEEN = because(
  'a bucket shows no object before it is whole',
  ...['raw bytes', 'a form'].map(
    (kind) => `without keys > POST /tasks > leaves nothing behind when the client goes away in the middle of ${kind}`,
  ),
)

export const NO_METRICS_PORT = because(
  'a cloud gives a function one port',
  'rate limited > METRICS_PORT: the metrics, without a key, and nothing else',
)

export const UNREMOVED = because(
  'the queue takes no message out by its id: it is delivered, and its function finds the task gone',
  'under way > a task that waits in the queue is listed as pending, and its deletion takes its message along',
)

export const OWN_CACHES = because(
  'without Redis each process has a cache of its own, and who reads is not told what who renders gave up',
  'without keys > another format than JPEG > of a file that is lost ends with 404, not with 503 for ever',
)

export const FRONT_END = because(
  "bytes that are no HTTP, and headers beyond what one reads, are answered by the platform's front end",
  'without keys > headers > headers and URLs that are too large are 431',
  ...[
    'nonsense\r\n\r\n',
    'GET / HTTP/1.1\r\n: x\r\n\r\n',
    'GET /tasks HTTP/1.1\r\nConnection: close\r\nHost: a b\r\n\r\n',
  ].map((text) => `without keys > headers > what is no HTTP is 400, as a problem: ${JSON.stringify(text)}`),
)
