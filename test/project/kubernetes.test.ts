/** What infra/kubernetes says of the functions and the environment is what they are. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { DRAIN_MARGIN_MS } from '../../runtime/limits.ts'
import { checkConfig, type ResolvedConfig } from '../../runtime/loader.ts'
import { FLUSH_MS } from '../../telemetry/limits.ts'
import { PROJECT } from './command.ts'

interface Container {
  env: { name: string; value?: string }[]
  lifecycle?: { preStop: { sleep: { seconds: number } } }
}
interface Manifest {
  kind: string
  metadata: { name: string }
  configMapGenerator?: { literals: string[] }[]
  images?: { newName: string; newTag: string }[]
  stringData?: Record<string, string>
  spec: {
    template: { spec: { terminationGracePeriodSeconds: number; containers: [Container] } }
    triggers: { metadata: { listName: string } }[]
  }
}

const FOLDER = join(PROJECT, 'infra/kubernetes')

function manifestsIn(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((document) => document.toJS() as Manifest)
}
const manifests = globSync('**/*.yaml', { cwd: FOLDER }).flatMap(manifestsIn)

const names = globSync('functions/*/config.ts', { cwd: PROJECT }).map((file) => file.split('/')[1]!)
const configs = new Map<string, ResolvedConfig>()
for (const name of names) {
  const { default: config } = (await import(join(PROJECT, 'functions', name, 'config.ts'))) as { default: unknown }
  configs.set(name, checkConfig(config))
}

function deployment(name: string): Manifest {
  return manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name)!
}

function environmentOf(name: string): Record<string, string | undefined> {
  const [{ env }] = deployment(name).spec.template.spec.containers
  return Object.fromEntries(env.map((entry) => [entry.name, entry.value]))
}

function functionsOf(name: string): ResolvedConfig[] {
  return (environmentOf(name)['FUNCTIONS'] ?? '').split(',').map((own) => configs.get(own)!)
}

describe('infra/kubernetes', () => {
  test('each function runs in one deployment: those that answer in api, the others in worker', () => {
    const [api, worker] = ['api', 'worker'].map((name) => environmentOf(name)['FUNCTIONS']!.split(','))
    expect([...api!, ...worker!].sort()).toEqual([...names].sort())
    expect(api!.every((name) => configs.get(name)!.trigger.type === 'http')).toBe(true)
    expect(worker!.some((name) => configs.get(name)!.trigger.type === 'http')).toBe(false)
  })

  test.each(['api', 'worker'])('%s may end what it has begun before it is killed', (name) => {
    const { terminationGracePeriodSeconds, containers } = deployment(name).spec.template.spec
    const beforeMs = (containers[0].lifecycle?.preStop.sleep.seconds ?? 0) * 1_000
    const drainMs = Math.max(...functionsOf(name).map(({ timeoutMs }) => timeoutMs)) + DRAIN_MARGIN_MS
    // The default is right for whatever functions there are; a number here would be forgotten.
    expect(environmentOf(name)).not.toHaveProperty('DRAIN_MS')
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(beforeMs + drainMs + FLUSH_MS)
  })

  test("workers are scaled by every queue's list of waiting messages", () => {
    const queues = functionsOf('worker').flatMap(({ trigger }) => (trigger.type === 'queue' ? [trigger.queue] : []))
    const scaled = manifests.find(({ kind }) => kind === 'ScaledObject')!
    const lists = scaled.spec.triggers.map(({ metadata }) => metadata.listName)
    expect(lists.sort()).toEqual(queues.map((queue) => `bull:${queue}:wait`).sort())
  })

  test('no variable is one that the runtime does not read', () => {
    const known = readFileSync(join(PROJECT, '.env.example'), 'utf8')
    const literals = manifests.flatMap(({ configMapGenerator = [] }) =>
      configMapGenerator.flatMap((map) => map.literals),
    )
    const variables = [
      ...literals.map((literal) => literal.split('=')[0]!),
      ...manifests.flatMap(({ stringData = {} }) => Object.keys(stringData)),
      ...['api', 'worker'].flatMap((name) => Object.keys(environmentOf(name))),
      // KEDA's own.
    ].filter((name) => name !== 'REDIS_ADDRESS')
    expect(variables.filter((name) => !new RegExp(`^#? ?${name}=`, 'm').test(known))).toEqual([])
    expect(variables.length).toBeGreaterThan(10)
  })

  test('the page makes what the overlay asks of a cluster: its image, its namespace, its secrets', () => {
    const page = readFileSync(join(PROJECT, 'docs/deploy/kubernetes.md'), 'utf8')
    const overlay = manifestsIn('overlays/production/kustomization.yaml')[0]!
    const [{ newName, newTag }] = overlay.images as [{ newName: string; newTag: string }]
    expect([...page.matchAll(/(?:--tag|docker push) (\S+)/g)].map(([, image]) => image)).toEqual([
      `${newName}:${newTag}`,
      `${newName}:${newTag}`,
    ])
    const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string }
    expect(newTag).toBe(version)

    const secret = manifests.find(({ kind }) => kind === 'Secret')!
    expect(page).toContain(`create secret generic ${secret.metadata.name} `)
    const given = [...page.matchAll(/--from-literal=(\w+)=/g)].map(([, name]) => name!)
    expect(given.toSorted()).toEqual(Object.keys(secret.stringData!).toSorted())
    // What names a Secret names this one.
    const texts = globSync('base/*.yaml', { cwd: FOLDER }).map((file) => readFileSync(join(FOLDER, file), 'utf8'))
    const asked = texts.flatMap((text) => [...text.matchAll(/secretRef: \{ name: (\S+) \}/g)].map(([, name]) => name))
    expect(new Set(asked)).toEqual(new Set([secret.metadata.name]))
    // In the order in which they need each other.
    const steps = ['namespace.yaml', 'create secret generic', 'apply --kustomize'].map((step) => page.indexOf(step))
    expect(steps).toEqual(steps.toSorted((a, b) => a - b))
    expect(steps).not.toContain(-1)
  })
})
