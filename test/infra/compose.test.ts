/** The compose files, held against what they promise. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { FunctionConfig } from '#shared/function.ts'
import { DRAIN_MARGIN_MS } from '../../runtime/limits.ts'
import { readConfig } from '../../runtime/config.ts'
import { FLUSH_MS } from '../../telemetry/limits.ts'
import { PROJECT } from '../project/command.ts'

interface Service {
  image: string
  user?: string
  read_only?: boolean
  environment?: Record<string, string | number>
  command?: string | string[]
  container_name?: string
  ports?: string[]
  volumes?: string[]
  networks: string[]
  restart?: string
  stop_grace_period?: string
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number }
  deploy?: { replicas?: string; resources?: { limits?: { memory?: string; cpus?: string } } }
  depends_on?: Record<string, { condition: string }>
}

interface Compose {
  services: Record<string, Service>
  networks: Record<string, { name?: string }>
}

const read = (name: string): Compose => parse(readFileSync(join(PROJECT, name), 'utf8'), { merge: true }) as Compose
const stack = read('docker-compose.yml')
const small = read('compose.small.yml')
const all = { ...stack.services, ...small.services }

const SECRET = 'secret-of-enough-characters'

/** With nothing set but secrets: `${A:-b}` is b, from the inside out. */
function byDefault(text: string): string {
  const next = text.replaceAll(/\$\{\w+:([-?])([^{}]*)\}/g, (_all, kind, value) => (kind === '-' ? value : SECRET))
  return next === text ? text : byDefault(next)
}

const configs = await Promise.all(
  globSync('functions/*/config.ts', { cwd: PROJECT }).map(async (file) => {
    const { default: config } = (await import(join(PROJECT, file))) as { default: FunctionConfig }
    return { name: file.split('/')[1]!, config }
  }),
)
const functionsOf = (service: string): string[] => String(stack.services[service]!.environment!.FUNCTIONS).split(',')

describe.each(Object.entries(all))('%s', (_name, service) => {
  test('has a health check, limits and a network, ends up running again, and has an image of one version', () => {
    const { healthcheck, deploy, networks, restart, image } = service
    expect(healthcheck?.test.length).toBeGreaterThan(1)
    expect(healthcheck?.retries).toBeGreaterThan(1)
    expect(deploy?.resources?.limits?.memory).toMatch(/^\d+M$/)
    expect(deploy?.resources?.limits?.cpus).toMatch(/^\d+\.\d$/)
    expect(networks.length).toBeGreaterThan(0)
    expect(restart).toBe('unless-stopped')
    expect(byDefault(image)).toMatch(/^[\w/]+:v?\d+(\.\d+)*(-alpine)?$/)
  })

  test('does not hold the socket of the engine, and what it mounts is there', () => {
    const mounts = (service.volumes ?? []).map((each) => byDefault(each).split(':')[0]!)
    expect(mounts.filter((source) => source.includes('docker.sock'))).toEqual([])
    const files = mounts.filter((source) => source.startsWith('./infra/'))
    expect(files.filter((file) => !existsSync(join(PROJECT, file)))).toEqual([])
  })
})

describe('the stack', () => {
  test('has the images and networks that it is known by', () => {
    const places = Object.entries(stack.services).map(([name, { image, networks }]) => [
      name,
      byDefault(image),
      networks.join(' '),
    ])
    const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string }
    expect(places).toEqual([
      ['traefik', 'traefik:v3.5', 'proxy monitoring'],
      ['api-backend', `revela:${version}`, 'proxy backend monitoring'],
      ['worker', `revela:${version}`, 'backend monitoring'],
      ['mongodb', 'mongo:7.0', 'backend'],
      ['redis', 'redis:7.4-alpine', 'backend'],
      ['prometheus', 'prom/prometheus:v2.48.0', 'monitoring'],
      ['loki', 'grafana/loki:3.0.0', 'monitoring'],
      ['grafana', 'grafana/grafana:10.2.0', 'proxy monitoring'],
    ])
    expect(Object.entries(stack.networks)).toEqual(['proxy', 'backend', 'monitoring'].map((name) => [name, { name }]))
    expect(stack.services.mongodb!.container_name).toBe('poc-mongodb')
  })

  test('is open to the world at Traefik alone; metrics, Prometheus and Loki are for this machine', () => {
    const ports = Object.entries(stack.services).flatMap(([name, each]) =>
      (each.ports ?? []).map((port) => [name, port]),
    )
    expect(ports).toEqual([
      ['traefik', '80:80'],
      ['traefik', '443:443/tcp'],
      ['traefik', '443:443/udp'],
      ['traefik', '127.0.0.1:8082:8082'],
      ['prometheus', '127.0.0.1:9090:9090'],
      ['loki', '127.0.0.1:3100:3100'],
    ])
  })

  test('serves every function once: http in the API, the others in the workers', () => {
    const where = (isHttp: boolean): string[] =>
      configs.filter(({ config }) => (config.trigger.type === 'http') === isHttp).map(({ name }) => name)
    expect(functionsOf('api-backend').sort()).toEqual(where(true).sort())
    expect(functionsOf('worker').sort()).toEqual(where(false).sort())
  })

  test.each(['api-backend', 'worker'])('%s has the time that its drain takes', (name) => {
    const timeouts = configs
      .filter((each) => functionsOf(name).includes(each.name))
      .map(({ config }) => config.timeoutMs)
    const grace = Number(/^(\d+)s$/.exec(byDefault(stack.services[name]!.stop_grace_period!))![1]) * 1_000
    expect(grace).toBeGreaterThan(Math.max(0, ...timeouts) + DRAIN_MARGIN_MS + FLUSH_MS)
  })

  test.each(['api-backend', 'worker', 'revela'])(
    '%s writes nowhere but to storage and /tmp, and is not root',
    (name) => {
      const { read_only, user = '1000', volumes } = all[name]!
      expect([read_only, byDefault(user).startsWith('1000')]).toEqual([true, true])
      expect(volumes!.map((each) => each.split(':')[1])).toEqual(['/app/storage'])
    },
  )

  test('the applications wait for what they need to be healthy', () => {
    for (const name of ['api-backend', 'worker']) {
      const healthy = { condition: 'service_healthy' }
      expect(stack.services[name]!.depends_on).toEqual({ mongodb: healthy, redis: healthy })
    }
  })

  test.each(['api-backend', 'worker'])(
    '%s reads its environment: every name is known, and every value is good',
    (name) => {
      const own = Object.entries(stack.services[name]!.environment!)
      const environment = Object.fromEntries(own.map(([key, value]) => [key, byDefault(String(value))]))
      const asked = new Set<string>()
      const config = readConfig(
        new Proxy(environment, { get: (env, key) => (asked.add(String(key)), env[String(key)]) }),
      )
      expect(Object.keys(environment).filter((key) => !asked.has(key))).toEqual([])
      expect(config).toMatchObject({ NODE_ENV: 'production', REDIS_HOST: 'redis', METRICS_PORT: 9464 })
      expect(config.MONGODB_URI).toMatch(
        /^mongodb:\/\/revela:.+@mongodb:27017\/imagedb\?authSource=imagedb&replicaSet=rs0/,
      )
    },
  )

  test('every secret stops compose by its name', () => {
    const text = readFileSync(join(PROJECT, 'docker-compose.yml'), 'utf8')
    const secrets = new Set([...text.matchAll(/\$\{(\w+):\?[^}]+\}/g)].map(([, name]) => name!))
    expect([...secrets].sort()).toEqual([
      'API_KEY',
      'GRAFANA_PASSWORD',
      'MONGO_APP_PASSWORD',
      'MONGO_ROOT_PASSWORD',
      'REDIS_PASSWORD',
      'TRAEFIK_AUTH',
    ])
    // With a default of its own none of them could be missing.
    expect(text).not.toMatch(/\$\{\w*(PASSWORD|API_KEY|AUTH)\w*:-/)
  })

  test('Redis forgets nothing and refuses when it is full', () => {
    const command = stack.services.redis!.command as string[]
    expect(command.join(' ')).toMatch(
      /^redis-server --maxmemory 768mb --maxmemory-policy noeviction --requirepass \S.* --save 900 1 --appendonly yes$/,
    )
  })

  test('MongoDB is a set with authentication and an oplog of 1024 MB', () => {
    const { command } = stack.services.mongodb!
    expect(command).toMatch(/^mongod --replSet rs0 --auth --keyFile \S+ --bind_ip_all --oplogSize 1024\b/)
  })
})

describe('what Traefik is told', () => {
  const flags = stack.services.traefik!.command as string[]

  test('HTTP/3, redirect, JSON access log, metrics on 8082, certificates, files and no other provider', () => {
    expect(flags).toEqual(
      expect.arrayContaining([
        '--entrypoints.websecure.http3=true',
        '--entrypoints.web.http.redirections.entrypoint.to=websecure',
        '--accesslog.format=json',
        '--entrypoints.metrics.address=:8082',
        '--metrics.prometheus.entrypoint=metrics',
        '--certificatesresolvers.letsencrypt.acme.email=${SSL_EMAIL:-}',
        '--entrypoints.websecure.http.middlewares=security@file',
      ]),
    )
    expect(flags.filter((flag) => flag.startsWith('--providers.'))).toEqual([
      '--providers.file.directory=/etc/traefik/dynamic',
    ])
    expect(flags.filter((flag) => flag.startsWith('--api.insecure'))).toEqual([])
  })
})
