/**
 * Knative: a broker, services, a trigger for each queue, a source for each timer. Of the cluster they expect a Secret and a
 * ConfigMap with what the environment has elsewhere; K_SINK, the broker's address, is in the latter.
 */
import { stringify } from 'yaml'
import type { FoundFunction } from '../../runtime/loader.ts'
import type { Files } from '../manifests.ts'
import { cronOf } from '../schedule.ts'
import {
  authOf,
  deliveriesMax,
  httpIn,
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

const BROKER = { apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name: 'revela' }
const LABELS = { 'app.kubernetes.io/part-of': 'revela' }
/** Of the Secret and of the ConfigMap, as in infra/kubernetes. */
const NAME = 'revela'
/** What waits for a message that failed, at first. */
const BACKOFF = 'PT1S'

/**
 * Node and nothing else: the bundle has the rest. Nothing in it is written to. Its user is the image's `node`, by number:
 * of a name no kubelet knows that it is not root's, and runAsNonRoot would keep the pod from starting.
 */
const DOCKERFILE = `FROM node:24-slim
WORKDIR /app
COPY --chown=root:root . .
USER 1000:1000
ENV NODE_ENV=production NODE_OPTIONS=--enable-source-maps
CMD ["node", "index.mjs"]
`

export function knativeFiles(): Files {
  return {
    'package.json': `${JSON.stringify({ private: true, type: 'module', main: 'index.mjs' }, null, 2)}\n`,
    Dockerfile: DOCKERFILE,
  }
}

const nameOf = (name: string): string => `revela-${name}`
const subscriberOf = (name: string) => ({
  ref: { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: nameOf(name) },
})

/** 0: as many as come. */
function requestsAtOnce({ functions }: Unit): number {
  const [queue] = queuesIn(functions)
  if (queue) return messagesAtOnce(queue)
  return httpIn(functions).length > 0 ? 0 : 1
}

function serviceOf(unit: Unit) {
  const { name, functions } = unit
  const isPublic = httpIn(functions).length > 0
  const seconds = unitSeconds(functions)
  const secret = (variable: string) => ({
    name: variable,
    valueFrom: { secretKeyRef: { name: NAME, key: variable } },
  })
  const plain = { FUNCTIONS: functions.map((fn) => fn.name).join(','), ...authOf(functions) }
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: {
      name: nameOf(name),
      labels: { ...LABELS, ...(isPublic ? {} : { 'networking.knative.dev/visibility': 'cluster-local' }) },
    },
    spec: {
      template: {
        spec: {
          containerConcurrency: requestsAtOnce(unit),
          timeoutSeconds: seconds,
          // Its default is the cluster's, and less: an upload is answered when it has arrived.
          responseStartTimeoutSeconds: seconds,
          enableServiceLinks: false,
          containers: [
            {
              image: `registry.invalid/revela/${name}`,
              envFrom: [{ configMapRef: { name: NAME } }],
              env: [
                ...Object.entries(plain).map(([variable, value]) => ({ name: variable, value })),
                ...[...secretsOf(functions), 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'].map(secret),
              ],
              readinessProbe: { httpGet: { path: '/readyz' } },
              resources: {
                requests: { cpu: '100m', memory: '128Mi' },
                limits: { memory: `${Math.max(...functions.map(memoryMb))}Mi` },
              },
              securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    },
  }
}

function triggerOf(fn: QueueFunction) {
  return {
    apiVersion: BROKER.apiVersion,
    kind: 'Trigger',
    metadata: { name: nameOf(fn.name), labels: LABELS },
    spec: {
      broker: BROKER.name,
      filter: { attributes: { queue: fn.trigger.queue } },
      subscriber: subscriberOf(fn.name),
      delivery: {
        retry: deliveriesMax(fn),
        backoffPolicy: 'exponential',
        backoffDelay: BACKOFF,
        timeout: `PT${timeoutSeconds(fn)}S`,
      },
    },
  }
}

function pingOf(fn: FoundFunction) {
  return {
    apiVersion: 'sources.knative.dev/v1',
    kind: 'PingSource',
    metadata: { name: nameOf(fn.name), labels: LABELS },
    spec: { schedule: cronOf(fn), timezone: 'Etc/UTC', sink: subscriberOf(fn.name) },
  }
}

export function knativeManifests(functions: readonly FoundFunction[]): Files {
  const documents = [
    { apiVersion: BROKER.apiVersion, kind: BROKER.kind, metadata: { name: BROKER.name, labels: LABELS } },
    ...unitsOf(functions).map(serviceOf),
    ...queuesIn(functions).map(triggerOf),
    ...timersIn(functions).map(pingOf),
  ]
  const options = { aliasDuplicateObjects: false, lineWidth: 0 }
  return { 'knative.yaml': documents.map((each) => stringify(each, options)).join('---\n') }
}
