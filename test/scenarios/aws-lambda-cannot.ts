/** What Lambda, API Gateway or what stands in for them here cannot do. */
import { ANY_HOST, NO_METRICS_PORT, UNREMOVED } from './cloud-exceptions.ts'
import type { Exceptions } from './exceptions.ts'

const CUT = 'API Gateway waits 30 s for a function: a wait is cut to 25 s, and Preference-Applied says so'
const WHOLE = 'API Gateway hands a request over when all of it has come'
const OWN_HTTP = 'what is no HTTP, or too long, the gateway answers itself'
const AT_ONCE = 'API Gateway takes an answer as one object: events arrive when their stream ends'
const ENDS = 'a stream of events ends with the longest wait, 25 s: its reader asks again'
const TEXT = 'the emulator reads a body of type text/* as text, and fails on bytes that are none'

export const AWS_LAMBDA_CANNOT: Exceptions = {
  ...ANY_HOST,
  ...NO_METRICS_PORT,
  ...UNREMOVED,
  'under way > all who wait hear of the end at once, and of a deletion too': AT_ONCE,
  'without keys > POST /tasks > answers 201 with the finished task to Prefer: wait': CUT,
  'without keys > POST /tasks > caps the wait at 30 seconds and finds it among other preferences': CUT,
  'without keys > POST /tasks > leaves nothing behind when the client goes away in the middle of raw bytes': WHOLE,
  'without keys > POST /tasks > leaves nothing behind when the client goes away in the middle of a form': WHOLE,
  'without keys > Idempotency-Key > while the first still runs: 409 with Retry-After': WHOLE,
  'without keys > refused > with 415, naming what was found > a body of type text/plain': TEXT,
  'without keys > headers > headers and URLs that are too large are 431': OWN_HTTP,
  'without keys > headers > what is no HTTP is 400, as a problem: "nonsense\\r\\n\\r\\n"': OWN_HTTP,
  'without keys > headers > what is no HTTP is 400, as a problem: "GET / HTTP/1.1\\r\\n: x\\r\\n\\r\\n"': OWN_HTTP,
  'without keys > a source that is slow > fails the task with source-timeout: one that %1$s': ENDS,
}
