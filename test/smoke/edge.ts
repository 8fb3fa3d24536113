/** What Traefik does before the API hears of a request. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Place } from './place.ts'
import { expectThat, type Report } from './report.ts'

const SECURITY = {
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '1; mode=block',
  'x-frame-options': 'DENY',
}
const BURST = 200
const MORE = 40
/** What comes back while the burst is under way: 100 a minute; and Traefik lets one wait that would be early by little. */
const backIn = (ms: number): number => Math.ceil((ms * 100) / 60_000) + 1
/** Longer than Traefik remembers a client that is silent: its burst is whole again. */
const SILENCE_MS = 3_000

async function redirect({ stack }: Place): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${await stack.port('traefik', 80)}/tasks`, {
    redirect: 'manual',
    headers: { host: 'localhost' },
  })
  const location = response.headers.get('location') ?? ''
  expectThat([301, 308].includes(response.status) && location.startsWith('https://'), 'a redirect to https', location)
  return `${response.status} to ${location}`
}

async function securityHeaders({ outside }: Place): Promise<string> {
  const places = { api: await outside.get('/healthz'), docs: await outside.get('/docs') }
  for (const [name, { headers }] of Object.entries(places)) {
    for (const [header, value] of Object.entries(SECURITY)) {
      expectThat(headers.get(header) === value, `${header}: ${value} of ${name}`, headers.get(header))
    }
  }
  return Object.keys(SECURITY).join(', ')
}

async function cors({ outside }: Place): Promise<string> {
  const allowed = async (origin: string) => {
    const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' }
    const first = await outside.get('/tasks', { method: 'OPTIONS', headers: { origin, ...preflight } })
    const then = await outside.get('/healthz', { headers: { origin } })
    return [first, then].map(({ headers }) => headers.get('access-control-allow-origin'))
  }
  const [listed, other] = [await allowed('https://app.example'), await allowed('https://evil.example')]
  expectThat(
    listed.every((origin) => origin === 'https://app.example'),
    'the listed origin allowed',
    listed,
  )
  expectThat(
    other.every((origin) => origin === null),
    'another origin refused',
    other,
  )
  return 'https://app.example may, https://evil.example may not'
}

async function http3({ stack, outside, h3 }: Place): Promise<string> {
  const offered = (await outside.get('/healthz')).headers.get('alt-svc') ?? ''
  expectThat(offered.includes('h3='), 'alt-svc to offer h3', offered)
  if (!h3) return `offered (${offered}), not asked: --h3 PROGRAM makes a request with it`
  const url = `https://localhost:${await stack.port('traefik', 443, 'udp')}/healthz`
  const { stdout } = await promisify(execFile)(h3, [url])
  expectThat(/^HTTP\/3\S* 200/.test(stdout), 'an answer over HTTP/3', stdout)
  return `${stdout.split('\n', 1)[0]} ${offered}`
}

async function http2({ outside }: Place): Promise<string> {
  const [protocol, status] = await outside.overHttp2('/healthz')
  expectThat(protocol === 'h2' && status === 200, '200 over h2', [protocol, status])
  return `${status} over ${protocol}`
}

async function dashboard({ stack, outside }: Place): Promise<string> {
  const ask = async (authorization?: string): Promise<number> => {
    const headers = authorization ? { authorization } : {}
    return (await outside.get('/api/overview', { host: 'traefik.localhost', headers })).status
  }
  const right = `Basic ${btoa(`admin:${stack.dashboardPassword}`)}`
  const answers = [await ask(), await ask(`Basic ${btoa('admin:wrong')}`), await ask(right)]
  expectThat(answers.join() === '401,401,200', '401 without, 401 with a wrong and 200 with the right password', answers)
  return `without, wrong, right password: ${answers.join(', ')}`
}

async function limits({ outside }: Place): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS))
  const burst = async (path: string, count: number): Promise<number[]> =>
    await Promise.all(
      Array.from({ length: count }, async () => {
        const response = await outside.get(path)
        await response.arrayBuffer()
        return response.status
      }),
    )
  const started = performance.now()
  const api = await burst('/healthz', BURST + MORE)
  const most = BURST + backIn(performance.now() - started)
  const passed = api.filter((status) => status === 200).length
  expectThat(passed >= BURST && passed <= most, `${BURST} to ${most} of the quick requests answered`, api.join())
  expectThat(
    api.every((status) => status === 200 || status === 429),
    'the others refused with 429',
    api.join(),
  )
  const pages = await burst('/docs', BURST + MORE)
  expectThat(
    pages.every((status) => status === 200),
    'the docs to have a limit of their own',
    pages.join(),
  )
  return `${api.length} at once: ${passed} answered, ${api.length - passed} 429; ${pages.length} of /docs all answered`
}

async function nothingElse({ outside }: Place): Promise<string> {
  const { status } = await outside.get('/', { host: 'other.localhost' })
  expectThat(status === 404, '404 for a host that nobody serves', status)
  return '404 for another host'
}

export async function checkEdge({ check }: Report, place: Place): Promise<void> {
  await check('http redirects to https', async () => await redirect(place))
  await check('HTTP/2', async () => await http2(place))
  await check('HTTP/3', async () => await http3(place))
  await check('security headers', async () => await securityHeaders(place))
  await check('CORS allow-list', async () => await cors(place))
  await check('dashboard behind its password', async () => await dashboard(place))
  await check('no other host', async () => await nothingElse(place))
}

/** By itself: it uses up what the other checks need. */
export async function checkLimits({ check }: Report, place: Place): Promise<void> {
  await check('the 201st quick request gets 429', async () => await limits(place))
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS))
}
