/** What is in a bundle, and what is said to platforms: all of it follows from the functions' folders. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { hasClients } from '../test/clouds/installed.ts'
import { build, type Built } from './build.ts'
import { type Cloud, CLOUDS } from './entries.ts'
import { MANIFESTS } from './manifests.ts'
import { functionsIn, partsOf } from './parts.ts'
import { PROJECT } from './project.ts'

/** Within the project, whose packages the functions import. */
let folder: string
let functions: string

async function writeFunction(name: string, config: string, path = '/'): Promise<void> {
  const own = join(functions, name)
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'config.ts'), `export default ${config}\n`)
  const app = `import { createApp } from '#shared/http.ts'
const app = createApp()
app.on(['GET', 'POST'], ${JSON.stringify(path)}, (c) => c.text('here'))
export default app\n`
  await writeFile(join(own, 'index.ts'), app)
}

beforeAll(async () => {
  await mkdir(join(PROJECT, '.cache'), { recursive: true })
  folder = await mkdtemp(join(PROJECT, '.cache/build-'))
  functions = join(folder, 'functions')
  await writeFunction('hello', `{ trigger: { type: 'http', routes: ['GET /hello'] }, timeoutMs: 5000 }`, '/hello')
  await writeFunction(
    'shrink',
    `{ trigger: { type: 'queue', queue: 'pictures', concurrency: 4, maxAttempts: 3 }, timeoutMs: 20000, isolation: 'process' }`,
  )
  await writeFunction('tidy', `{ trigger: { type: 'timer', everyMs: 15000 }, timeoutMs: 9000 }`)
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

function make(target: Cloud | 'node', out: string, names: string[] = []): Promise<Built[]> {
  return build({ target, names, architecture: 'x64', functionsFolder: functions, out: join(folder, out) })
}

/** What no cloud may have: stores and containers of the local runtime. */
const LOCAL =
  /^(stacks\/(local|embedded|servers|storage)\.ts|telemetry\/|runtime\/(drivers\/(sqlite\/|queue\/(sqlite|bullmq)|tasks\/sqlite|blobs\/(filesystem|folder|marker|write)|cache\/memory)|main\.ts|targets\/node\/(container|pool|rpc|hosts|command))|test\/)|node_modules\/(bullmq|lru-cache|@opentelemetry\/exporter-)/
const PLATFORM: Record<Cloud, RegExp> = {
  'aws-lambda': /client-sqs|queue\/sqs\.ts|targets\/aws-lambda\//,
  'google-cloud': /google-auth-library|queue\/pubsub\.ts|targets\/google-cloud\//,
  azure: /node_modules\/@azure\/|queue\/azure-storage-queue\.ts|targets\/azure\//,
  knative: /queue\/cloudevents-http\.ts|targets\/knative\//,
}

describe.skipIf(!hasClients).each(CLOUDS)('%s', (cloud) => {
  test(
    'a bundle has its own function, its platform and its drivers, and nothing of another',
    { timeout: 120_000 },
    async () => {
      const [made] = await make(cloud, `${cloud}-own`, ['hello'])
      const { modules, first, outside } = made!
      expect(modules.filter((id) => id.startsWith('.cache/'))).toEqual(
        ['config', 'index'].map((file) => expect.stringMatching(`/functions/hello/${file}.ts$`)),
      )
      expect(modules.filter((id) => LOCAL.test(id))).toEqual([])
      for (const other of CLOUDS) {
        // Each must be found somewhere, or the pattern would prove nothing.
        expect([other, modules.some((id) => PLATFORM[other].test(id))]).toEqual([other, other === cloud])
      }
      // A Redis beside the cloud's own is a client that is read where one is named, and not before.
      expect(first.filter((id) => /node_modules\/(ioredis|mongodb)\//.test(id))).toEqual([])
      // Nor is what shows metrics, and no language but the one that is spoken is in it at all.
      expect(first.filter((id) => id.includes('/prom-client/'))).toEqual([])
      expect(modules.filter((id) => /\/zod\/v4\/locales\/(?!index)/.test(id)).map((id) => basename(id))).toEqual([
        'en.js',
      ])
      expect(outside.filter((name) => name === 'sharp')).toEqual([])
    },
  )
})

const manifests = async (cloud: Cloud) => MANIFESTS[cloud].manifestsOf(await functionsIn(functions), 'x64')

describe('a manifest follows the folders', () => {
  test('aws-lambda: routes, queues, timers', async () => {
    const { 'template.yaml': template = '' } = await manifests('aws-lambda')
    const { Resources, Globals } = parse(template) as {
      Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>
      Globals: { Function: { Architectures: string[] } }
    }
    expect(Globals.Function.Architectures).toEqual(['x86_64'])
    expect(Object.entries(Resources).map(([id, { Type }]) => `${id} ${Type}`)).toEqual([
      'Http AWS::Serverless::HttpApi',
      'PicturesQueue AWS::SQS::Queue',
      'PicturesDead AWS::SQS::Queue',
      'HelloFunction AWS::Serverless::Function',
      'ShrinkFunction AWS::Serverless::Function',
      'TidyFunction AWS::Serverless::Function',
      'ApiFunction AWS::Serverless::Function',
    ])
    const shrink = Resources['ShrinkFunction']!.Properties
    expect(shrink).toMatchObject({
      Timeout: 21,
      Events: { Messages: { Properties: { BatchSize: 1, FunctionResponseTypes: ['ReportBatchItemFailures'] } } },
      Environment: { Variables: { AUTH: 'platform' } },
    })
    // Hostile pictures find no key beside them.
    expect(JSON.stringify(shrink['Environment'])).not.toMatch(/API_KEY|SIGNING_KEYS|WEBHOOK/)
    const { VisibilityTimeout, RedrivePolicy } = Resources['PicturesQueue']!.Properties
    expect(VisibilityTimeout).toBeGreaterThanOrEqual(6 * Number(shrink['Timeout']))
    expect(RedrivePolicy).toMatchObject({ deadLetterTargetArn: { 'Fn::GetAtt': ['PicturesDead', 'Arn'] } })
    const routes = Object.values(Resources['HelloFunction']!.Properties['Events'] as object) as {
      Properties: { Method: string; Path: string }
    }[]
    expect(routes.map(({ Properties: { Method, Path } }) => `${Method} ${Path}`)).toEqual(['GET /hello', 'HEAD /hello'])
    expect(Resources['TidyFunction']!.Properties['Events']).toEqual({
      Timer: { Type: 'Schedule', Properties: { Schedule: 'cron(* * * * ? *)' } },
    })
  })

  test('knative: services, a trigger for each queue, a source for each timer', async () => {
    const { 'knative.yaml': yaml = '' } = await manifests('knative')
    const documents = parseAllDocuments(yaml).map(
      (each) => each.toJS() as { kind: string; metadata: { name: string }; spec: Record<string, unknown> },
    )
    expect(documents.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).toEqual([
      'Broker revela',
      'Service revela-api',
      'Service revela-shrink',
      'Service revela-tidy',
      'Trigger revela-shrink',
      'PingSource revela-tidy',
    ])
    expect(documents[4]!.spec).toMatchObject({ filter: { attributes: { queue: 'pictures' } } })
    expect(documents[2]!.spec).toMatchObject({ template: { spec: { containerConcurrency: 1, timeoutSeconds: 21 } } })
  })

  test('google-cloud: a service each, topics with dead letters, a job', async () => {
    const files = await manifests('google-cloud')
    expect(Object.keys(files).sort()).toEqual([
      'deploy.sh',
      'service-api.yaml',
      'service-shrink.yaml',
      'service-tidy.yaml',
    ])
    const script = files['deploy.sh']
    expect(script).toMatch(/subscriptions create pictures --topic pictures .*\\\n.*\n\s+--ack-deadline 31 /s)
    expect(script).toContain("--schedule '* * * * *'")
    expect(parse(files['service-shrink.yaml']!)).toMatchObject({
      spec: { template: { spec: { containerConcurrency: 1, timeoutSeconds: 21 } } },
    })
  })

  test('azure: the host of each app, its bindings, its queues', async () => {
    const fns = await functionsIn(functions)
    const filesOf = (name: string) => MANIFESTS.azure.filesOf(partsOf(fns).find((part) => part.name === name)!)
    expect(JSON.parse(filesOf('shrink')['host.json'] ?? '')).toMatchObject({
      functionTimeout: '00:00:21',
      extensions: { http: { routePrefix: '' }, queues: { batchSize: 1, newBatchThreshold: 0 } },
    })
    expect(JSON.parse(filesOf('api')['bindings.json'] ?? '')).toEqual([
      { name: 'hello', type: 'httpTrigger', route: 'hello', methods: ['GET', 'HEAD'] },
    ])
    expect(JSON.parse(filesOf('tidy')['bindings.json'] ?? '')).toMatchObject([{ schedule: '*/15 * * * * *' }])
    expect((await manifests('azure'))['deploy.sh']).toContain('--name pictures-poison ')
  })
})

// TEST_MANIFEST_CHECK: a command that holds Kubernetes' and Knative's manifests, by their paths, against the schemas.
const CHECK = process.env['TEST_MANIFEST_CHECK']?.split(' ')
test.skipIf(!CHECK)('what Knative is told is what its schemas know', async () => {
  const files = MANIFESTS.knative.manifestsOf(await functionsIn(join(PROJECT, 'functions')), 'x64')
  const file = join(folder, 'knative.yaml')
  await writeFile(file, files['knative.yaml']!)
  const { status, stdout } = spawnSync(CHECK![0]!, [...CHECK!.slice(1), file], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, expect.stringMatching(/ 0 failed/)])
})

test('a function more is in every manifest', async () => {
  await writeFunction(
    'added',
    `{ trigger: { type: 'queue', queue: 'more', concurrency: 1, maxAttempts: 1 }, timeoutMs: 1000 }`,
  )
  for (const cloud of CLOUDS) expect(Object.values(await manifests(cloud)).join('\n')).toMatch(/\bmore\b/)
  await rm(join(functions, 'added'), { recursive: true })
  for (const cloud of CLOUDS) expect(Object.values(await manifests(cloud)).join('\n')).not.toMatch(/\bmore\b/)
})

test('a fault in a config stops the build, and is told with the name of its function', async () => {
  await writeFunction(
    'faulty',
    `{ trigger: { type: 'queue', queue: 'Pictures!', concurrency: 1, maxAttempts: 1 }, timeoutMs: 1 }`,
  )
  await expect(make('knative', 'none')).rejects.toThrow(/^Nothing was built\.\nfaulty: config\.ts: trigger\.queue: /)
  await rm(join(functions, 'faulty'), { recursive: true })
})

test('what leads nowhere in its code is told with the name of the part', async () => {
  await writeFunction('lost', `{ trigger: { type: 'http', routes: ['GET /lost'] }, timeoutMs: 1000 }`)
  await writeFile(join(functions, 'lost/index.ts'), `import 'no_such_package'\nexport default 1\n`)
  await expect(make('node', 'none')).rejects.toThrow(/no_such_package/)
  await expect(make('knative', 'none', ['lost'])).rejects.toThrow(/^lost: .*no_such_package/s)
  await rm(join(functions, 'lost'), { recursive: true })
})

test('a function that wants zod in another language is told how, and is no bundle that fails when it starts', async () => {
  const own = join(functions, 'abroad')
  await writeFunction('abroad', `{ trigger: { type: 'timer', everyMs: 15000 }, timeoutMs: 9000 }`)
  const app = await readFile(join(own, 'index.ts'), 'utf8')
  const speaking = (way: string): string => `${way}\n${app}`
  for (const way of [`import { z } from 'zod'\nz.config(z.locales.de())`, `import { de } from 'zod/locales'\nde()`]) {
    await writeFile(join(own, 'index.ts'), speaking(way))
    await expect(make('node', 'none')).rejects.toThrow(/abroad\/index\.ts: .*import 'zod\/v4\/locales\/de\.js'/s)
  }
  await writeFile(join(own, 'index.ts'), speaking(`import de from 'zod/v4/locales/de.js'\nde()`))
  const [made] = await make('node', 'abroad')
  expect(made!.modules.filter((id) => id.endsWith('locales/de.js'))).toHaveLength(1)
  await rm(own, { recursive: true })
})
