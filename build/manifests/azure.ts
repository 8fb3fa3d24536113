/** Function apps of Azure: what the host of each is told, and the commands that make them. */
import { SECOND_MS } from '#shared/limits.ts'
import type { FoundFunction } from '../../runtime/loader.ts'
import { ncrontabOf } from '../../runtime/targets/azure/schedule.ts'
import type { Files } from '../manifests.ts'
import type { Part } from '../parts.ts'
import {
  authOf,
  deliveriesMax,
  isIsolated,
  messagesAtOnce,
  queuesIn,
  secretsOf,
  unitSeconds,
  unitsOf,
} from './common.ts'

/** Of the queue trigger, https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue */
const BATCH_MAX = 32

function clock(seconds: number): string {
  return new Date(seconds * SECOND_MS).toISOString().slice(11, 19)
}

/** A host is its app's: what is isolated has one message at a time, and none in reserve. */
function hostOf(functions: readonly FoundFunction[]) {
  const [queue] = queuesIn(functions)
  const queues = queue && {
    batchSize: Math.min(BATCH_MAX, messagesAtOnce(queue)),
    newBatchThreshold: 0,
    maxDequeueCount: deliveriesMax(queue),
    visibilityTimeout: clock(Math.ceil(queue.trigger.backoff.initialMs / SECOND_MS)),
    maxPollingInterval: clock(2),
  }
  return {
    version: '2.0',
    functionTimeout: clock(unitSeconds(functions)),
    extensions: { http: { routePrefix: '' }, ...(queues ? { queues } : {}) },
    extensionBundle: { id: 'Microsoft.Azure.Functions.ExtensionBundle', version: '[4.*, 5.0.0)' },
  }
}

interface Binding {
  name: string
  type: string
  [detail: string]: string | string[]
}

/** What the app will register, in the words of the host's own list of functions. */
function bindingsOf({ name, config: { trigger } }: FoundFunction): Binding[] {
  if (trigger.type === 'timer') return [{ name, type: 'timerTrigger', schedule: ncrontabOf(trigger) }]
  if (trigger.type === 'queue') {
    return [{ name, type: 'queueTrigger', queueName: trigger.queue, connection: 'AZURE_STORAGE_CONNECTION_STRING' }]
  }
  return trigger.routes.map((route, index) => {
    const [method, path] = route.split(' ') as [string, string]
    const methods = method === 'GET' ? ['GET', 'HEAD'] : [method]
    return { name: index === 0 ? name : `${name}-${index + 1}`, type: 'httpTrigger', route: path.slice(1), methods }
  })
}

function settingsOf(functions: readonly FoundFunction[]) {
  const plain = {
    NODE_ENV: 'production',
    NODE_OPTIONS: '--enable-source-maps',
    FUNCTIONS: functions.map(({ name }) => name).join(','),
    S3_BUCKET: '${S3_BUCKET}',
    S3_ENDPOINT: '${S3_ENDPOINT}',
    S3_REGION: '${S3_REGION}',
    PUBLIC_URL: '${PUBLIC_URL}',
    CORS_ORIGINS: '${CORS_ORIGINS}',
    ...authOf(functions),
  }
  // A secret's name in a vault has no underscores.
  const secret = (name: string): string =>
    `@Microsoft.KeyVault(VaultName=\${VAULT};SecretName=${name.toLowerCase().replaceAll('_', '-')})`
  const names = [...secretsOf(functions), 'AZURE_STORAGE_CONNECTION_STRING', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']
  const settings = { ...plain, ...Object.fromEntries(names.map((name) => [name, secret(name)])) }
  return Object.entries(settings).map(([name, value]) => ({ name, value, slotSetting: false }))
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

export function azureFilesOf({ functions }: Part): Files {
  return {
    'package.json': json({ private: true, type: 'module', main: 'index.mjs' }),
    'host.json': json(hostOf(functions)),
    'bindings.json': json(functions.flatMap(bindingsOf)),
  }
}

const HEAD = `#!/usr/bin/env bash
# Written by npm run build -- azure. The vault has the secrets; may be run again.
set -euo pipefail
cd "$(dirname "$0")"
: "\${GROUP:?}" "\${LOCATION:?}" "\${STORAGE:?}" "\${VAULT:?}" "\${PREFIX:?}" "\${S3_BUCKET:?}" "\${S3_ENDPOINT:?}" "\${S3_REGION:?}" "\${PUBLIC_URL:?}"
export VAULT S3_BUCKET S3_ENDPOINT S3_REGION PUBLIC_URL CORS_ORIGINS="\${CORS_ORIGINS:-}"
`

function appOf(name: string, functions: readonly FoundFunction[]): string {
  const memory = functions.every(isIsolated) ? 2_048 : 512
  return `APP="$PREFIX-${name}"
az functionapp show --resource-group "$GROUP" --name "$APP" > /dev/null 2>&1 ||
  az functionapp create --resource-group "$GROUP" --name "$APP" --storage-account "$STORAGE" \\
    --flexconsumption-location "$LOCATION" --runtime node --runtime-version 24 --instance-memory ${memory} --assign-identity '[system]'
az keyvault set-policy --name "$VAULT" --secret-permissions get \\
  --object-id "$(az functionapp identity show --resource-group "$GROUP" --name "$APP" --query principalId --output tsv)"
envsubst < settings-${name}.json > settings.json
az functionapp config appsettings set --resource-group "$GROUP" --name "$APP" --settings @settings.json --output none
rm settings.json
(cd ${name} && zip --quiet --recurse-paths ../${name}.zip .)
az functionapp deployment source config-zip --resource-group "$GROUP" --name "$APP" --src ${name}.zip
`
}

export function azureManifests(functions: readonly FoundFunction[]): Files {
  const units = unitsOf(functions)
  const queues = queuesIn(functions).flatMap(({ trigger: { queue } }) => [queue, `${queue}-poison`])
  const made = queues.map(
    (queue) => `az storage queue create --account-name "$STORAGE" --name ${queue} --auth-mode login\n`,
  )
  const script = [HEAD, ...made, ...units.map((unit) => appOf(unit.name, unit.functions))].join('\n')
  const settings = units.map((unit) => [`settings-${unit.name}.json`, json(settingsOf(unit.functions))])
  return { ...(Object.fromEntries(settings) as Files), 'deploy.sh': script }
}
