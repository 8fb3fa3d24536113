/** ARCHITECTURE.md's import table as an allow-list: what no row names is not imported. */
import { type Import, importsOf } from './imports.ts'

/** Packages of single functions, each with its reason. */
export const OF_FUNCTION: Record<string, Record<string, string>> = {
  'create-task': {
    '@fastify/busboy': 'a form is taken apart while it arrives',
  },
  'process-image': { sharp: 'decodes and encodes; render.ts alone', thumbhash: 'the placeholder' },
  notify: { standardwebhooks: "signs as the receivers' libraries verify" },
}

/** What stands between a driver and its server or data structure. */
export const OF_DRIVER: Record<string, string[]> = {
  mongodb: ['mongodb'],
  tasks: ['mongodb'],
  cache: ['lru-cache'],
  fetch: ['undici', 'ipaddr.js'],
  blobs: ['@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner'],
  queue: ['bullmq', 'google-auth-library', '@azure/storage-queue', '@aws-sdk/client-sqs'],
  'rate-limit': ['rate-limiter-flexible'],
  redis: ['ioredis'],
}

/** Packages of platforms, and what a target takes from the local one: its server is plain HTTP's. */
export const OF_TARGET: Record<string, string[]> = {
  // Containers open their blobs themselves.
  node: ['@hono/node-server', 'zod', 'stacks/storage.ts'],
  knative: [
    'runtime/targets/node/server.ts',
    'runtime/targets/node/listen.ts',
    'runtime/targets/node/drain-time.ts',
    'cli/signals.ts',
  ],
  'google-cloud': ['@hono/node-server', 'runtime/targets/node/server.ts', 'zod'],
  azure: ['@azure/functions'],
  'aws-lambda': ['aws-lambda'],
}

/** What several drivers of one server hang on. */
export const CONNECTIONS = ['sqlite', 'mongodb', 'redis'].map((name) => `runtime/drivers/${name}`)

const SHARED = /^shared\//
const NODE = /^node:/
/** The files right in runtime/ but the entry; bindings.ts has more rights, and is imported as any of them. */
const CORE = /^runtime\/(?!main\.ts)[a-z-]+\.ts$/
const TRIGGERS = /^runtime\/triggers\//
const CONSOLE = /^console\//
const TELEMETRY = /^telemetry\//
/** Where the name of what is imported is found at run time: functions, containers' functions, commands. */
const COMPUTED = new Set([
  'runtime/loader.ts',
  'runtime/host.ts',
  'runtime/targets/node/container-child.ts',
  'cli/start.mjs',
])

const only = (...names: string[]): RegExp => new RegExp(`^(${names.join('|').replaceAll('.', '\\.')})(/|$)`)
const none = /(?!)/

interface Row {
  /** As in the table. */
  from: string
  files: RegExp
  /** What a file may import; `own` is the folder below functions/, drivers/ or the like that it lies in. */
  may: (own: string) => RegExp[]
  typesOnly?: boolean
  /** What it may import when it is wanted, and not before. */
  late?: RegExp
}

/** The first row that knows a file is the file's. */
export const ROWS: Row[] = [
  { from: 'X/config.ts', files: /^functions\/([^/]+)\/config\.ts$/, may: () => [SHARED], typesOnly: true },
  {
    from: 'functions/X',
    files: /^functions\/([^/]+)\//,
    may: (own) => [
      only(`functions/${own}`, 'hono', 'zod', '@hono/zod-openapi', ...Object.keys(OF_FUNCTION[own] ?? {})),
      /^node:(crypto|stream|buffer)$/,
      SHARED,
    ],
  },
  {
    from: 'shared',
    files: /^shared\/()/,
    may: () => [SHARED, only('hono', '@hono/zod-openapi', 'node:crypto', 'node:buffer')],
    // A refusal names what was sent instead of a picture; who sends a picture does not pay for it.
    late: only('file-type'),
  },
  {
    from: 'runtime/bindings.ts',
    files: /^runtime\/bindings\.ts()$/,
    may: () => [SHARED, CORE],
    late: only('stacks/links.ts'),
  },
  {
    from: 'stacks/*',
    files: /^stacks\/()/,
    may: () => [SHARED, CORE, NODE, /^(runtime\/drivers|stacks)\//],
  },
  {
    from: 'runtime/main.ts',
    files: /^runtime\/main\.ts()$/,
    may: () => [SHARED, CORE, TRIGGERS, CONSOLE, TELEMETRY, NODE, /^runtime\/targets\/node\//, only('stacks/local.ts')],
  },
  {
    from: 'runtime core and triggers',
    files: /^runtime\/(?:triggers\/)?[^/]+\.ts()$/,
    may: () => [SHARED, CORE, TRIGGERS, CONSOLE, NODE, only('hono/router', 'zod', 'croner')],
  },
  {
    from: 'console',
    files: /^console\/()/,
    may: () => [SHARED, CORE, CONSOLE, NODE, only('prom-client', 'pino', 'zod')],
  },
  {
    from: 'telemetry/*',
    files: /^telemetry\/()/,
    may: () => [SHARED, CORE, CONSOLE, TELEMETRY, NODE],
    late: only('@opentelemetry'),
  },
  { from: 'drivers', files: /^runtime\/drivers\/()[^/]+$/, may: () => [SHARED, NODE] },
  {
    from: 'drivers/*',
    files: /^runtime\/drivers\/([^/]+)\//,
    may: (own) => [
      SHARED,
      NODE,
      /^runtime\/drivers\/[^/]+$/,
      only(`runtime/drivers/${own}`, ...CONNECTIONS),
      OF_DRIVER[own] ? only(...OF_DRIVER[own]) : none,
    ],
  },
  { from: 'targets', files: /^runtime\/targets\/()[^/]+$/, may: () => [SHARED, CORE] },
  {
    from: 'targets/*',
    files: /^runtime\/targets\/([^/]+)\//,
    may: (own) => [
      SHARED,
      CORE,
      TRIGGERS,
      CONSOLE,
      NODE,
      /^runtime\/targets\/[^/]+$/,
      only(`runtime/targets/${own}`),
      own === 'node' ? none : only('runtime/targets/cloud'),
      OF_TARGET[own] ? only(...OF_TARGET[own]) : none,
    ],
  },
  {
    from: 'build/*',
    files: /^build\/()/,
    may: () => [
      SHARED,
      CORE,
      NODE,
      /^(build|cli)\//,
      // What a platform is told must be what its target will do.
      /^runtime\/targets\/(cloud\/limits|aws-lambda\/limits|azure\/schedule)\.ts$/,
      only('rolldown', 'yaml'),
    ],
  },
  {
    from: 'cli/*',
    files: /^cli\/()/,
    may: () => [SHARED, CORE, NODE, /^(cli\/|runtime\/main\.ts$)/, only('sharp')],
  },
]

function isAllowed(row: Row, own: string, file: string, { target, isType, isDynamic }: Import): boolean {
  if (row.typesOnly && !isType) return false
  if (target === null) return isDynamic && COMPUTED.has(file)
  if (row.late?.test(target)) return isType || isDynamic
  return row.may(own).some((pattern) => pattern.test(target))
}

/** What the text imports against its row; a file that no row knows is a violation itself. */
export function violations(file: string, text: string): string[] {
  for (const row of ROWS) {
    const [, own] = row.files.exec(file) ?? []
    if (own === undefined) continue
    const refused = importsOf(file, text).filter((each) => !isAllowed(row, own, file, each))
    return refused.map(({ target }) => `${file} (${row.from}): ${target ?? 'a computed import'}`)
  }
  return [`${file}: no row of the table is about it`]
}
