/** Services of Cloud Run, and the commands that lead messages and ticks to them. */
import { stringify } from 'yaml'
import type { FoundFunction } from '../../runtime/loader.ts'
import type { Files } from '../manifests.ts'
import { cronOf } from '../schedule.ts'
import {
  authOf,
  deliveriesMax,
  httpIn,
  isIsolated,
  memoryMb,
  messagesAtOnce,
  type QueueFunction,
  queuesIn,
  secretsOf,
  timersIn,
  timeoutSeconds,
  type Unit,
  unitSeconds,
  unitsOf,
} from './common.ts'

/** Requests at once in an instance that answers clients: Cloud Run's own default. */
const REQUESTS_AT_ONCE = 80
/** What a subscription takes, https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions */
const ACK_SECONDS = { min: 10, max: 600 }
const DELIVERIES = { min: 5, max: 100 }
const BACKOFF_SECONDS_MAX = 600

const FRAMEWORK = '5.0.5'

/** The buildpack of Cloud Run installs the framework, which starts the function. */
export function googleFiles(): Files {
  const content = {
    private: true,
    type: 'module',
    main: 'index.mjs',
    scripts: { start: 'functions-framework --target=revela' },
    engines: { node: '24' },
    dependencies: { '@google-cloud/functions-framework': FRAMEWORK },
  }
  return { 'package.json': `${JSON.stringify(content, null, 2)}\n` }
}

const between = (value: number, { min, max }: { min: number; max: number }): number =>
  Math.min(max, Math.max(min, value))

function requestsAtOnce({ functions }: Unit): number {
  const [queue] = queuesIn(functions)
  if (queue) return messagesAtOnce(queue)
  return httpIn(functions).length > 0 ? REQUESTS_AT_ONCE : 1
}

function environmentOf({ functions }: Unit, seconds: number) {
  const plain = {
    NODE_ENV: 'production',
    NODE_OPTIONS: '--enable-source-maps',
    GOOGLE_CLOUD_PROJECT: '${PROJECT}',
    CLOUD_RUN_TIMEOUT_SECONDS: String(seconds),
    FUNCTIONS: functions.map(({ name }) => name).join(','),
    // Not Google's own store: it ignores `If-None-Match` on a write, on which all that is written once rests.
    S3_BUCKET: '${S3_BUCKET}',
    S3_ENDPOINT: '${S3_ENDPOINT}',
    S3_REGION: '${S3_REGION}',
    PUBLIC_URL: '${PUBLIC_URL}',
    CORS_ORIGINS: '${CORS_ORIGINS}',
    ...authOf(functions),
  }
  const secret = (name: string) => ({ name, valueFrom: { secretKeyRef: { name, key: 'latest' } } })
  return [
    ...Object.entries(plain).map(([name, value]) => ({ name, value })),
    ...[...secretsOf(functions), 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'].map(secret),
  ]
}

function serviceOf(unit: Unit) {
  const seconds = unitSeconds(unit.functions)
  const isIsolatedUnit = unit.functions.every(isIsolated)
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: {
      name: `revela-${unit.name}`,
      annotations: {
        'run.googleapis.com/ingress': httpIn(unit.functions).length > 0 ? 'all' : 'internal',
      },
    },
    spec: {
      template: {
        metadata: { annotations: { 'run.googleapis.com/cpu-throttling': 'true' } },
        spec: {
          containerConcurrency: requestsAtOnce(unit),
          timeoutSeconds: seconds,
          serviceAccountName: 'revela@${PROJECT}.iam.gserviceaccount.com',
          containers: [
            {
              image: `\${IMAGES}/${unit.name}`,
              resources: {
                limits: { cpu: '1', memory: `${isIsolatedUnit ? 2_048 : Math.max(...unit.functions.map(memoryMb))}Mi` },
              },
              env: environmentOf(unit, seconds),
            },
          ],
        },
      },
    },
  }
}

const HEAD = `#!/usr/bin/env bash
# Written by npm run build -- google-cloud. May be run again.
set -euo pipefail
cd "$(dirname "$0")"
: "\${PROJECT:?}" "\${REGION:?}" "\${S3_BUCKET:?}" "\${S3_ENDPOINT:?}" "\${S3_REGION:?}" "\${PUBLIC_URL:?}"
IMAGES="$REGION-docker.pkg.dev/$PROJECT/revela"
export PROJECT S3_BUCKET S3_ENDPOINT S3_REGION PUBLIC_URL IMAGES CORS_ORIGINS="\${CORS_ORIGINS:-}"
CALLER="revela-events@$PROJECT.iam.gserviceaccount.com"
url() { gcloud run services describe "$1" --region "$REGION" --format 'value(status.url)'; }
there() { "$@" > /dev/null 2>&1; }
`

/** Only its caller may wake it: Pub/Sub and Cloud Scheduler sign in as that account. */
function invoker(name: string): string {
  return `gcloud run services add-iam-policy-binding revela-${name} --region "$REGION" --member "serviceAccount:$CALLER" --role roles/run.invoker`
}

function subscriptionOf(fn: QueueFunction): string {
  const { queue, backoff } = fn.trigger
  const seconds = (ms: number): number => Math.min(BACKOFF_SECONDS_MAX, Math.ceil(ms / 1_000))
  const flags = [
    `--push-endpoint "$(url revela-${fn.name})/"`,
    '--push-auth-service-account "$CALLER"',
    `--ack-deadline ${between(timeoutSeconds(fn) + 10, ACK_SECONDS)}`,
    `--min-retry-delay ${seconds(backoff.initialMs)}s`,
    `--max-retry-delay ${seconds(backoff.maxMs)}s`,
    `--dead-letter-topic ${queue}-dead`,
    `--max-delivery-attempts ${between(deliveriesMax(fn), DELIVERIES)}`,
    '--project "$PROJECT"',
  ].join(' \\\n  ')
  return `for topic in ${queue} ${queue}-dead; do
  there gcloud pubsub topics describe "$topic" --project "$PROJECT" || gcloud pubsub topics create "$topic" --project "$PROJECT"
done
${invoker(fn.name)}
there gcloud pubsub subscriptions describe ${queue}-dead --project "$PROJECT" ||
  gcloud pubsub subscriptions create ${queue}-dead --topic ${queue}-dead --expiration-period never --project "$PROJECT"
if there gcloud pubsub subscriptions describe ${queue} --project "$PROJECT"; then
  gcloud pubsub subscriptions update ${queue} ${flags}
else
  gcloud pubsub subscriptions create ${queue} --topic ${queue} --expiration-period never ${flags}
fi
`
}

function jobOf(fn: FoundFunction): string {
  return `${invoker(fn.name)}
there gcloud scheduler jobs describe revela-${fn.name} --location "$REGION" --project "$PROJECT" && JOB=update || JOB=create
gcloud scheduler jobs "$JOB" http revela-${fn.name} --location "$REGION" --project "$PROJECT" \\
  --schedule '${cronOf(fn)}' --time-zone Etc/UTC --http-method POST --uri "$(url revela-${fn.name})/" \\
  --oidc-service-account-email "$CALLER"
`
}

export function googleManifests(functions: readonly FoundFunction[]): Files {
  const units = unitsOf(functions)
  const images = units.map(
    ({ name }) =>
      `gcloud builds submit ${name} --project "$PROJECT" --pack "image=$IMAGES/${name},env=GOOGLE_FUNCTION_TARGET=revela"\n`,
  )
  // One by one: each file is what `gcloud run services replace` takes.
  const services = units.map(
    ({ name }) =>
      `envsubst < service-${name}.yaml | gcloud run services replace - --project "$PROJECT" --region "$REGION"\n`,
  )
  const open =
    httpIn(functions).length > 0
      ? 'gcloud run services add-iam-policy-binding revela-api --region "$REGION" --member allUsers --role roles/run.invoker\n'
      : ''
  const script = [
    HEAD,
    ...images,
    ...services,
    open,
    ...queuesIn(functions).map(subscriptionOf),
    ...timersIn(functions).map(jobOf),
  ].join('\n')
  // In quotes: what envsubst puts in stays one text, were it `*` or nothing.
  const options = { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' } as const
  const files = units.map((unit) => [`service-${unit.name}.yaml`, stringify(serviceOf(unit), options)])
  return { ...(Object.fromEntries(files) as Files), 'deploy.sh': script }
}
