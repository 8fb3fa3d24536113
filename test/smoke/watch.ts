/** What the stack tells of itself: metrics, logs, dashboards. */
import type { Place } from './place.ts'
import { eventually, expectThat, type Report } from './report.ts'

const SCRAPED_MS = 90_000
const SHIPPED_MS = 60_000

interface Target {
  labels: { job: string }
  health: string
  scrapeUrl: string
  lastError: string
}

/** Replicas by service, as Prometheus must see them. */
export async function targetsUp({ stack }: Place, replicas: Record<string, number>): Promise<string> {
  const url = `http://127.0.0.1:${await stack.port('prometheus', 9090)}/api/v1/targets?state=active`
  const expected = Object.entries({ prometheus: 1, traefik: 1, ...replicas })
  const targets = await eventually(SCRAPED_MS, 'every target up', async () => {
    const { data } = (await (await fetch(url)).json()) as { data: { activeTargets: Target[] } }
    const up = (job: string): number =>
      data.activeTargets.filter(({ labels, health }) => labels.job === job && health === 'up').length
    const all = expected.every(([job, count]) => up(job) === count)
    const seen = data.activeTargets.map(({ scrapeUrl, health, lastError }) => `${scrapeUrl} ${health} ${lastError}`)
    return [all && data.activeTargets.every(({ health }) => health === 'up'), seen]
  })
  return `${targets.length} up: ${expected.map(([job, count]) => `${job} ${count}`).join(', ')}`
}

interface Streams {
  data: { result: { stream: Record<string, string>; values: [ns: string, line: string][] }[] }
}

/** Both sides of a task's way, under one trace. */
export async function logsOf({ stack }: Place, taskId: string): Promise<string> {
  const url = new URL(`http://127.0.0.1:${await stack.port('loki', 3100)}/loki/api/v1/query_range`)
  url.searchParams.set('query', `{service=~"api-backend|worker"} |= "${taskId}"`)
  url.searchParams.set('limit', '100')
  const found = await eventually(SHIPPED_MS, "the api's and the worker's lines", async () => {
    const { data } = (await (await fetch(url)).json()) as Streams
    const services = new Set(data.result.map(({ stream }) => stream.service))
    return [services.has('api-backend') && services.has('worker'), data.result]
  })
  const lines = found.flatMap(({ stream, values }) =>
    values.map(([, line]) => ({ service: stream.service!, ...(JSON.parse(line) as { trace?: string }) })),
  )
  const traces = Map.groupBy(lines, ({ trace }) => trace)
  const shared = [...traces].find(([, own]) => new Set(own.map(({ service }) => service)).size === 2)
  expectThat(shared?.[0] !== undefined, 'a trace with lines of both', lines)
  return `${lines.length} lines, trace ${shared[0]} has both`
}

export async function grafana({ stack, outside }: Place): Promise<string> {
  const authorization = `Basic ${btoa(`admin:${stack.secrets.GRAFANA_PASSWORD}`)}`
  const ask = async (path: string) => {
    const response = await outside.get(path, { host: 'grafana.localhost', headers: { authorization } })
    expectThat(response.status === 200, `200 for ${path}`, response.status)
    return (await response.json()) as { uid: string; title: string }[]
  }
  await ask('/api/health')
  const sources = (await ask('/api/datasources')).map(({ uid }) => uid).sort()
  expectThat(sources.join() === 'loki,prometheus', 'both data sources', sources)
  const dashboards = (await ask('/api/search?type=dash-db')).map(({ title }) => title)
  expectThat(dashboards.length >= 3, 'the dashboards', dashboards)
  return `${sources.join(', ')}; ${dashboards.join(', ')}`
}

export async function promtool({ stack }: Place): Promise<string> {
  const args = ['exec', '-T', 'prometheus', 'promtool', 'check', 'config', '/etc/prometheus/prometheus.yml']
  const told = await stack.compose(args)
  return told.replaceAll(/\s+/g, ' ').trim()
}

export async function checkWatch({ check }: Report, place: Place, taskId: string): Promise<void> {
  await check('Prometheus: config and rules', async () => await promtool(place))
  await check('Prometheus: every target up', async () => await targetsUp(place, { 'api-backend': 2, worker: 3 }))
  await check('Loki: the task, api and worker', async () => await logsOf(place, taskId))
  await check('Grafana: sources and dashboards', async () => await grafana(place))
}
