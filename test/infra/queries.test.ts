/** Every query of the dashboards and of the alert rules is about metrics, labels and values that are there. */
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Measures } from '#shared/bindings.ts'
import { PROJECT } from '../project/command.ts'
import { type Exposed, exposedByAll, seriesOf } from './exposed.ts'
import { readPromQl } from './promql.ts'
import { TRAEFIK } from './traefik-metrics.ts'

interface Target {
  expr: string
  datasource: { type: string; uid: string }
}
interface Panel {
  id: number
  type: string
  title: string
  datasource: { uid: string }
  targets?: Target[]
}
interface Dashboard {
  uid: string
  title: string
  panels: Panel[]
  templating: { list: { name: string }[] }
}

const read = (path: string): string => readFileSync(join(PROJECT, path), 'utf8')
const files = globSync('infra/grafana/dashboards/*.json', { cwd: PROJECT }).sort()
const dashboards = files.map((file) => Object.assign(JSON.parse(read(file)) as Dashboard, { file: basename(file) }))

interface Rule {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: { summary?: string; runbook?: string }
}
interface Rules {
  groups: { rules: Rule[] }[]
}
const ruleFiles = globSync('infra/prometheus/rules/*.yml', { cwd: PROJECT })
const rules = ruleFiles.flatMap((file) => (parse(read(file)) as Rules).groups.flatMap((group) => group.rules))

interface Asked {
  where: string
  expr: string
}
const targets = dashboards.flatMap(({ file, panels }) =>
  panels.flatMap(({ title, targets: of = [] }) => of.map((target) => ({ where: `${file}: ${title}`, ...target }))),
)
const promQl: Asked[] = [
  ...targets.filter(({ datasource }) => datasource.uid === 'prometheus'),
  ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
]
const logQl: Asked[] = targets.filter(({ datasource }) => datasource.uid === 'loki')

const OF_THE_RUNTIME = [
  'queue_verdicts_total',
  'faas_invocations_total',
  'faas_errors_total',
  'faas_timeouts_total',
] as const

/** Values that no scrape after two pictures shows; the types hold them against the code. */
const RARE: { [Name in keyof Measures]?: { [Label in keyof Measures[Name]]?: Measures[Name][Label][] } } & {
  [Name in (typeof OF_THE_RUNTIME)[number]]: Record<string, string[]>
} = {
  callbacks_total: { outcome: ['delivered', 'retried', 'failed'] },
  tasks_total: { outcome: ['completed', 'failed'], code: ['', 'processing-failed', 'unavailable'] },
  swept_total: { action: ['resent', 'expired', 'collected'] },
  derived_total: { format: ['webp', 'avif'] },
  queue_verdicts_total: { verdict: ['ack', 'retry', 'dead'], queue: ['image-processing'] },
  faas_invocations_total: { function: ['process-image', 'notify'] },
  faas_errors_total: { function: ['get-task'] },
  faas_timeouts_total: { function: ['get-task'] },
}

/** What Prometheus adds to each series, and has of its own. */
const ADDED = ['job', 'instance']
const OWN: Record<string, string[]> = { up: [], ALERTS: ['alertname', 'alertstate', 'severity'] }

const { scrape_configs: jobs } = parse(read('infra/prometheus/prometheus.yml')) as {
  scrape_configs: { job_name: string }[]
}

/** By series: label names; the values that are known, where they are. */
const known = new Map<string, Map<string, Set<string> | null>>()

function learn(name: string, type: string, labels: Map<string, Set<string> | null>): void {
  for (const series of seriesOf(name, type)) {
    const all = new Map<string, Set<string> | null>([...labels, ['job', new Set(jobs.map(({ job_name: job }) => job))]])
    for (const label of [...ADDED.slice(1), ...(series.endsWith('_bucket') ? ['le'] : [])]) all.set(label, null)
    known.set(series, all)
  }
}

let exposed: Map<string, Exposed>

beforeAll(async () => {
  exposed = await exposedByAll()
  for (const [name, { type, labels }] of exposed) {
    const rare = Object.entries((RARE as Record<string, Record<string, string[]>>)[name] ?? {})
    learn(name, type, new Map([...labels, ...rare.map(([label, values]) => [label, new Set(values)] as const)]))
  }
  const any = (labels: string[]): Map<string, null> => new Map(labels.map((label) => [label, null]))
  for (const [name, { type, labels }] of Object.entries(TRAEFIK)) learn(name, type, any(labels))
  for (const [name, labels] of Object.entries(OWN)) learn(name, 'gauge', any(labels))
}, 120_000)

/** Values of a pattern that are plain are held against what is known; `5..` is none. */
const isPlain = (value: string): boolean => /^[\w.-]*$/.test(value) && !value.includes('..')

function faultsOf({ where, expr }: Asked): string[] {
  const { uses, by } = readPromQl(expr)
  const faults = uses.flatMap(({ metric, labels }) => {
    const has = known.get(metric)
    if (!has) return [`no metric ${metric}`]
    return Object.entries(labels).flatMap(([label, values]) => {
      const there = has.get(label)
      if (there === undefined) return [`${metric} has no label ${label}`]
      if (there === null || label === 'status') return []
      const missing = values.filter((value) => isPlain(value) && !there.has(value))
      return missing.map((value) => `${metric} has no ${label}="${value}", but ${[...there].join(', ')}`)
    })
  })
  const lost = by.filter((label) => !uses.some(({ metric }) => known.get(metric)?.has(label)))
  return [...faults, ...lost.map((label) => `no metric of the query has the label ${label}`)].map(
    (f) => `${where}: ${f}`,
  )
}

describe('every query', () => {
  test('is about metrics and labels that the applications, Traefik or Prometheus have', () => {
    expect(promQl.flatMap(faultsOf)).toEqual([])
    // Guards the guard.
    expect(promQl.length).toBeGreaterThan(60)
    expect(promQl.every(({ expr }) => readPromQl(expr).uses.length > 0)).toBe(true)
  })

  test.each([
    ['sum(rate(no_such_metric_total[5m]))', 'no metric no_such_metric_total'],
    ['sum by (colour) (rate(tasks_total[5m]))', 'no metric of the query has the label colour'],
    ['queue_messages{colour="dead"}', 'queue_messages has no label colour'],
    ['queue_messages{state="lost"}', 'queue_messages has no state="lost"'],
    ['max_over_time(count(up{job="workers"} == 1)[1h:1m])', 'up has no job="workers"'],
    ['rate(callbacks_total{outcome=~"retried|undelivered"}[5m])', 'callbacks_total has no outcome="undelivered"'],
    ['histogram_quantile(0.5, sum by (le) (rate(render_seconds[5m])))', 'no metric render_seconds'],
  ])('that is not would be found: %s', (expr, fault) => {
    expect(faultsOf({ where: 'here', expr })[0]).toContain(`here: ${fault}`)
  })

  test('of Loki asks for labels and fields that lines have', () => {
    const compose = parse(read('docker-compose.yml')) as {
      services: Record<string, { environment?: { OTEL_SERVICE_NAME?: string } }>
    }
    const services = Object.values(compose.services).flatMap((service) => service.environment?.OTEL_SERVICE_NAME ?? [])
    const labels: Record<string, string[]> = {
      service: services,
      level: ['debug', 'info', 'warn', 'error', 'fatal'],
      function: [],
      replica: [],
    }
    const faults = logQl.flatMap(({ where, expr }) => {
      const [, selector = '', rest = ''] = /\{([^}]*)\}(.*)/.exec(expr) ?? []
      const pairs = [...selector.matchAll(/(\w+)=~?"([^"]*)"/g)]
      const values = pairs.flatMap(([, label, value]) => value!.split('|').map((each) => [label!, each] as const))
      const strange = values.filter(([label, value]) => !labels[label]?.includes(value)).map(([label]) => label)
      // The fields of every invocation's line.
      const fields = [...rest.matchAll(/\| (?!json)(\w+)/g)].map(([, field]) => field!)
      const missing = fields.filter((field) => !['task', 'trace'].includes(field))
      return [...strange, ...missing].map((name) => `${where}: ${name}`)
    })
    expect(faults).toEqual([])
    expect(logQl.length).toBeGreaterThan(2)
  })
})

describe('dashboards', () => {
  test('show what an operator of the whole stack looks for', () => {
    const asked = (file: string): string =>
      targets
        .filter(({ where }) => where.startsWith(file))
        .map(({ expr }) => expr)
        .join('\n')
    const wanted: Record<string, string[]> = {
      'overview.json': [
        'faas_invocations_total',
        'faas_errors_total',
        '(0.5,',
        '(0.95,',
        '(0.99,',
        'queue_messages',
        'queue_oldest_message_seconds',
        'render_seconds_bucket',
        'tasks_total',
        'cgroup_memory_bytes',
        'verdict="retry"',
        'state="dead"',
      ],
      'traefik.json': ['traefik_entrypoint_requests_total', 'traefik_entrypoint_request_duration_seconds_bucket'],
      'logs.json': ['{service=~"api-backend|worker"} | json | task="$task"'],
    }
    const missing = Object.entries(wanted).flatMap(([file, parts]) =>
      parts.filter((part) => !asked(file).includes(part)),
    )
    expect(missing).toEqual([])
  })

  test('name on the overview what fires, for nobody is sent it', () => {
    const { panels } = dashboards.find(({ file }) => file === 'overview.json')!
    const lists = panels.filter(
      ({ type, targets: of }) => type === 'table' && of?.[0]?.expr === 'ALERTS{alertstate="firing"}',
    )
    expect(lists).toHaveLength(1)
  })

  test('have sources, uids, titles and numbers that hold', () => {
    const { datasources } = parse(read('infra/grafana/provisioning/datasources/datasources.yml')) as {
      datasources: { uid: string; type: string }[]
    }
    const sources = datasources.map(({ uid, type }) => `${type} ${uid}`)
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length)
    for (const { title, panels, templating } of dashboards) {
      expect(title).not.toBe('')
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
      const drawn = panels.filter(({ type }) => type !== 'row')
      expect(drawn.filter(({ targets: of = [] }) => of.length === 0)).toEqual([])
      for (const { datasource } of drawn.flatMap(({ targets: of = [] }) => of)) {
        expect(sources).toContain(`${datasource.type} ${datasource.uid}`)
      }
      const variables = [...JSON.stringify(panels).matchAll(/\$(?!__)(\w+)/g)].map(([, name]) => name)
      expect(new Set(variables)).toEqual(new Set(templating.list.map(({ name }) => name)))
    }
  })
})

describe('alert rules', () => {
  test('say how bad it is, what happened, where to look, and what helps', () => {
    expect(rules.length).toBeGreaterThan(10)
    const isWhole = ({ labels, annotations: { summary = '', runbook = '' } }: Rule): boolean =>
      /^(page|ticket)$/.test(labels.severity) &&
      /\w.*\.$/.test(summary) &&
      /^.+\nLook/ms.test(runbook) &&
      runbook.length > 150
    expect(rules.filter((rule) => !isWhole(rule)).map(({ alert }) => alert)).toEqual([])
  })
})
