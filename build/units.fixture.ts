/** What each platform's manifests say of what it deploys, read back in one form for all. */
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import type { FoundFunction } from '../runtime/loader.ts'
import type { Cloud } from './entries.ts'
import { MANIFESTS } from './manifests.ts'
import { functionsIn, partsOf } from './parts.ts'
import { PROJECT } from './project.ts'

export interface DeployedUnit {
  functions: FoundFunction[]
  /** Values by name; of a secret, where it is. */
  environment: Record<string, unknown>
  /** The platform's own limit of a request, message or tick. */
  seconds: number
}

interface Container {
  env: { name: string; value?: string; valueFrom?: unknown }[]
  securityContext?: { runAsNonRoot?: boolean }
}
interface ServiceSpec {
  timeoutSeconds: number
  responseStartTimeoutSeconds?: number
  containers: [Container]
}
interface Service {
  kind: string
  spec: { template: { spec: ServiceSpec } }
}
interface Lambda {
  Type: string
  Properties: { CodeUri: string; Timeout: number; Environment: { Variables: Record<string, unknown> } }
}
interface Template {
  Globals: { Function: { Environment: { Variables: Record<string, unknown> } } }
  Resources: Record<string, Lambda>
}

const functions = await functionsIn(join(PROJECT, 'functions'))
const parts = partsOf(functions)
const named = (names: string): FoundFunction[] =>
  names.split(',').map((name) => functions.find((fn) => fn.name === name)!)

function ofService({ spec: { template } }: Service): DeployedUnit {
  const { timeoutSeconds, containers } = template.spec
  const environment = Object.fromEntries(
    containers[0].env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]),
  )
  return { functions: named(String(environment['FUNCTIONS'])), environment, seconds: timeoutSeconds }
}

function servicesOnKnative(files: Record<string, string>): Service[] {
  const documents = parseAllDocuments(files['knative.yaml']!).map((each) => each.toJS() as Service)
  return documents.filter(({ kind }) => kind === 'Service')
}

function ofApp(settings: { name: string; value: string }[]): DeployedUnit {
  const environment = Object.fromEntries(settings.map(({ name, value }) => [name, value]))
  const own = named(String(environment['FUNCTIONS']))
  const part = parts.find((each) => each.functions.length === own.length && each.functions[0]!.name === own[0]!.name)!
  const { functionTimeout } = JSON.parse(MANIFESTS.azure.filesOf(part)['host.json']!) as { functionTimeout: string }
  return { functions: own, environment, seconds: Date.parse(`1970-01-01T${functionTimeout}Z`) / 1_000 }
}

const READERS: Record<Cloud, (files: Record<string, string>) => DeployedUnit[]> = {
  'aws-lambda': (files) => {
    const { Globals, Resources } = parse(files['template.yaml']!) as Template
    const lambdas = Object.values(Resources).filter(({ Type }) => Type === 'AWS::Serverless::Function')
    return lambdas.map(({ Properties: { CodeUri, Timeout, Environment } }) => ({
      functions: parts.find(({ name }) => CodeUri === `./${name}/`)!.functions,
      environment: { ...Globals.Function.Environment.Variables, ...Environment.Variables },
      seconds: Timeout,
    }))
  },
  'google-cloud': (files) => {
    const names = Object.keys(files).filter((name) => name.endsWith('.yaml'))
    return names.map((name) => ofService(parse(files[name]!) as Service))
  },
  azure: (files) => {
    const names = Object.keys(files).filter((name) => name.endsWith('.json'))
    return names.map((name) => ofApp(JSON.parse(files[name]!) as { name: string; value: string }[]))
  },
  knative: (files) => servicesOnKnative(files).map(ofService),
}

/** Of the project's own functions. */
export function unitsOn(cloud: Cloud): DeployedUnit[] {
  return READERS[cloud](MANIFESTS[cloud].manifestsOf(functions, 'x64'))
}

export function specsOnKnative(): ServiceSpec[] {
  return servicesOnKnative(MANIFESTS.knative.manifestsOf(functions, 'x64')).map(({ spec }) => spec.template.spec)
}
