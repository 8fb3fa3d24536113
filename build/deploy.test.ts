/** What whoever deploys gives for the whole, beside the functions' own: it reaches the processes as it was given. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { MANIFESTS } from './manifests.ts'
import { functionsIn } from './parts.ts'
import { PROJECT } from './project.ts'
import { unitsOn } from './units.fixture.ts'

const functions = await functionsIn(join(PROJECT, 'functions'))
const SETTINGS = ['S3_BUCKET', 'S3_REGION', 'PUBLIC_URL', 'CORS_ORIGINS']
const named = (pattern: RegExp, text: string): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))].toSorted()

// Knative has all of these by its ConfigMap.
test.each(['aws-lambda', 'google-cloud', 'azure'] as const)('%s: each process is told of them', (cloud) => {
  for (const { environment } of unitsOn(cloud)) {
    expect(Object.keys(environment)).toEqual(expect.arrayContaining(SETTINGS))
  }
})

describe.each(['google-cloud', 'azure'] as const)('%s: deploy.sh', (cloud) => {
  const { 'deploy.sh': script = '', ...settings } = MANIFESTS[cloud].manifestsOf(functions, 'x64')

  test('hands on each variable that the settings name', () => {
    const asked = named(/\$\{(\w+)\}/g, Object.values(settings).join('\n'))
    const [exported] = /^export .*$/m.exec(script)!
    expect(asked.filter((name) => !new RegExp(`\\s${name}\\b`).test(exported))).toEqual([])
  })

  test('insists on those that its page gives, the region among them: no default is right for every store', () => {
    const insisted = named(/\$\{(\w+):\?\}/g, script)
    const page = readFileSync(join(PROJECT, `docs/deploy/${cloud}.md`), 'utf8')
    expect(named(/(\w+)=/g, page.match(/^export .*$/gm)!.join('\n'))).toEqual(insisted)
    expect(insisted).toContain('S3_REGION')
  })
})

test.each(['*', '', 'https://a.example,https://b.example'])('google-cloud: origins are a text, also %j', (origins) => {
  const { 'service-api.yaml': text = '' } = MANIFESTS['google-cloud'].manifestsOf(functions, 'x64')
  const service = parse(text.replaceAll('${CORS_ORIGINS}', origins)) as {
    spec: { template: { spec: { containers: [{ env: { name: string; value?: unknown }[] }] } } }
  }
  const [{ env }] = service.spec.template.spec.containers
  expect(env.find(({ name }) => name === 'CORS_ORIGINS')).toEqual({ name: 'CORS_ORIGINS', value: origins })
})
