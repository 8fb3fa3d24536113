/** A template of AWS SAM: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html */
import { stringify } from 'yaml'
import type { FoundFunction } from '../../runtime/loader.ts'
import { GATEWAY_MS } from '../../runtime/targets/aws-lambda/limits.ts'
import type { Files } from '../manifests.ts'
import type { Architecture } from '../packages.ts'
import { API } from '../parts.ts'
import { eventBridgeOf } from '../schedule.ts'
import {
  authOf,
  deliveriesMax,
  httpIn,
  memoryMb,
  messagesAtOnce,
  type QueueFunction,
  queuesIn,
  secretsOf,
  timeoutSeconds,
} from './common.ts'

type Json = Record<string, unknown>

/** Lambda wants six times the function's own: while throttled it holds messages that it has not begun. */
const VISIBILITY_TIMES = 6
/** As long as SQS keeps a message: 14 days. */
const RETENTION_SECONDS = 1_209_600
/** One more than the gateway waits, which answers first. */
const GATEWAY_SECONDS = Math.ceil(GATEWAY_MS / 1_000) + 1
/** Of a standard queue, without a batching window. */
const BATCH_MAX = 10

const ARCHITECTURE = { x64: 'x86_64', arm64: 'arm64' }

const sub = (text: string): Json => ({ 'Fn::Sub': text })
const ref = (name: string): Json => ({ Ref: name })
const att = (name: string, attribute: string): Json => ({ 'Fn::GetAtt': [name, attribute] })

/** `create-task` as a logical id, of letters and digits alone. */
function idOf(name: string): string {
  return name.replaceAll(/(?:^|[^a-zA-Z0-9]+)([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function queueResources(fn: QueueFunction): Json {
  const { queue } = fn.trigger
  const dead = `${idOf(queue)}Dead`
  return {
    [`${idOf(queue)}Queue`]: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        QueueName: sub(`\${AWS::StackName}-${queue}`),
        VisibilityTimeout: VISIBILITY_TIMES * timeoutSeconds(fn),
        MessageRetentionPeriod: RETENTION_SECONDS,
        RedrivePolicy: { deadLetterTargetArn: att(dead, 'Arn'), maxReceiveCount: deliveriesMax(fn) },
      },
    },
    [dead]: {
      Type: 'AWS::SQS::Queue',
      Properties: { QueueName: sub(`\${AWS::StackName}-${queue}-dead`), MessageRetentionPeriod: RETENTION_SECONDS },
    },
  }
}

/** HEAD comes with GET, here as everywhere; OPTIONS is the api part's, as all that no route names. */
function routesOf(routes: readonly string[]): Json {
  const named = routes.flatMap((route) => {
    const [method, path] = route.split(' ') as [string, string]
    return (method === 'GET' ? ['GET', 'HEAD'] : [method]).map((each) => [each, path] as const)
  })
  return Object.fromEntries(
    named.map(([Method, Path], index) => [
      `Route${index + 1}`,
      { Type: 'HttpApi', Properties: { ApiId: ref('Http'), Method, Path, PayloadFormatVersion: '2.0' } },
    ]),
  )
}

function eventsOf(fn: FoundFunction): Json {
  const { trigger } = fn.config
  if (trigger.type === 'http') return routesOf(trigger.routes)
  if (trigger.type === 'timer') return { Timer: { Type: 'Schedule', Properties: { Schedule: eventBridgeOf(fn) } } }
  const properties = {
    Queue: att(`${idOf(trigger.queue)}Queue`, 'Arn'),
    BatchSize: Math.min(BATCH_MAX, messagesAtOnce({ ...fn, trigger })),
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  }
  return { Messages: { Type: 'SQS', Properties: properties } }
}

function secret(name: string): Json {
  return sub(`{{resolve:secretsmanager:\${SecretName}:SecretString:${name}}}`)
}

/** What the driver asks of objects; SAM's own S3CrudPolicy lacks those about uploads in parts, which the collector needs. */
const OBJECT_ACTIONS = [
  's3:GetObject',
  's3:PutObject',
  's3:DeleteObject',
  's3:AbortMultipartUpload',
  's3:ListMultipartUploadParts',
]

/** Any function may send to any queue; who takes from one may also put a message off. */
function policiesOf(fns: readonly FoundFunction[], queues: readonly QueueFunction[]): Json[] {
  const arn = (queue: string): Json =>
    sub(`arn:\${AWS::Partition}:sqs:\${AWS::Region}:\${AWS::AccountId}:\${AWS::StackName}-${queue}`)
  const statements: Json[] = []
  if (queues.length > 0) {
    const all = queues.flatMap(({ trigger: { queue } }) => [queue, `${queue}-dead`])
    statements.push({ Effect: 'Allow', Action: ['sqs:SendMessage', 'sqs:GetQueueAttributes'], Resource: all.map(arn) })
  }
  const own = queuesIn(fns).map(({ trigger }) => trigger.queue)
  if (own.length > 0) {
    statements.push({ Effect: 'Allow', Action: ['sqs:ChangeMessageVisibility'], Resource: own.map(arn) })
  }
  const bucket = 'arn:${AWS::Partition}:s3:::${S3Bucket}'
  statements.push(
    // Without the right to list, S3 says 403 and not 404 of what is not there.
    { Effect: 'Allow', Action: ['s3:ListBucket', 's3:ListBucketMultipartUploads'], Resource: sub(bucket) },
    { Effect: 'Allow', Action: OBJECT_ACTIONS, Resource: sub(`${bucket}/*`) },
  )
  return [{ Statement: statements }]
}

interface Lambda {
  part: string
  functions: readonly FoundFunction[]
  events: Json
  queues: readonly QueueFunction[]
}

function lambdaOf({ part, functions, events, queues }: Lambda): Json {
  const seconds = Math.max(...functions.map(timeoutSeconds))
  const isHttp = httpIn(functions).length > 0
  return {
    Type: 'AWS::Serverless::Function',
    Properties: {
      CodeUri: `./${part}/`,
      Handler: 'index.handler',
      Timeout: isHttp ? Math.min(seconds, GATEWAY_SECONDS) : seconds,
      MemorySize: Math.max(...functions.map(memoryMb)),
      Environment: {
        Variables: {
          ...authOf(functions),
          ...Object.fromEntries(secretsOf(functions).map((name) => [name, secret(name)])),
        },
      },
      Policies: policiesOf(functions, queues),
      Events: events,
    },
  }
}

export function awsManifests(functions: readonly FoundFunction[], architecture: Architecture): Files {
  const queues = queuesIn(functions)
  const http = httpIn(functions)
  const lambdas = functions.map((fn) => [
    `${idOf(fn.name)}Function`,
    lambdaOf({ part: fn.name, functions: [fn], events: eventsOf(fn), queues }),
  ])
  // Without path and method SAM makes it the route of all that has none.
  const rest = { Default: { Type: 'HttpApi', Properties: { ApiId: ref('Http') } } }
  const edge = http.length > 0 ? { ApiFunction: lambdaOf({ part: API, functions: http, events: rest, queues }) } : {}
  const template = {
    AWSTemplateFormatVersion: '2010-09-09',
    Transform: 'AWS::Serverless-2016-10-31',
    Description: 'Revela. Written by npm run build -- aws-lambda.',
    Parameters: {
      SecretName: {
        Type: 'String',
        Description: 'A secret of Secrets Manager: JSON with MONGODB_URI, API_KEY, SIGNING_KEYS and WEBHOOK_SECRET',
      },
      S3Bucket: { Type: 'String', Description: 'The bucket of pictures, which is there already' },
      PublicUrl: { Type: 'String', Default: '', Description: 'Where clients find the API; links begin with it' },
      AllowHosts: { Type: 'String', Default: '', Description: 'ALLOW_HOSTS' },
      CorsOrigins: { Type: 'String', Default: '', Description: 'CORS_ORIGINS' },
    },
    Globals: {
      Function: {
        Runtime: 'nodejs24.x',
        Architectures: [ARCHITECTURE[architecture]],
        Environment: {
          Variables: {
            NODE_ENV: 'production',
            NODE_OPTIONS: '--enable-source-maps',
            SQS_URL: sub('https://sqs.${AWS::Region}.${AWS::URLSuffix}/${AWS::AccountId}'),
            QUEUE_PREFIX: sub('${AWS::StackName}-'),
            S3_BUCKET: ref('S3Bucket'),
            S3_REGION: ref('AWS::Region'),
            PUBLIC_URL: ref('PublicUrl'),
            ALLOW_HOSTS: ref('AllowHosts'),
            CORS_ORIGINS: ref('CorsOrigins'),
          },
        },
      },
    },
    Resources: {
      ...(http.length > 0 ? { Http: { Type: 'AWS::Serverless::HttpApi' } } : {}),
      ...Object.assign({}, ...queues.map(queueResources)),
      ...Object.fromEntries(lambdas),
      ...edge,
    },
    ...(http.length > 0
      ? { Outputs: { Url: { Value: sub('https://${Http}.execute-api.${AWS::Region}.${AWS::URLSuffix}') } } }
      : {}),
  }
  return { 'template.yaml': stringify(template, { aliasDuplicateObjects: false, lineWidth: 0 }) }
}
