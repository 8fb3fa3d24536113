/**
 * SQS for tests: `TEST_SQS_SERVER`, a command in which {port} stands for itself, that serves SQS without authentication,
 * such as `moto_server -H 127.0.0.1 -p {port}`.
 */
import { randomUUID } from 'node:crypto'
import { type Found, fromOwn, ofFile } from './found.ts'
import { type Program, programOf, startOwn } from './own.ts'

export interface SqsServer {
  /** Of the account's queues, as SQS_URL has it. */
  url: string
  region: string
  /** Any: nobody looks at them. */
  credentials: { accessKeyId: string; secretAccessKey: string }
  /** One call of its JSON protocol: `call('CreateQueue', { QueueName })`. */
  call(action: string, input: object): Promise<Record<string, unknown>>
}

const ACCOUNT = '123456789012'
const REGION = 'us-east-1'
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' }

function sqsProgram(): Program | null {
  const [file, ...args] = (process.env['TEST_SQS_SERVER'] ?? '').split(' ')
  const path = file ? programOf(file) : null
  if (!path) return null
  return {
    command: (port) => [path, ...args.map((arg) => arg.replaceAll('{port}', String(port)))],
    uri: (port) => `http://127.0.0.1:${port}`,
    answers: async (port) =>
      await fetch(`http://127.0.0.1:${port}/`).then(
        ({ ok }) => ok,
        () => false,
      ),
  }
}

function addressOf(uri: string): SqsServer {
  const scope = `${CREDENTIALS.accessKeyId}/20260101/${REGION}/sqs/aws4_request`
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`
  return {
    url: `${uri}/${ACCOUNT}`,
    region: REGION,
    credentials: CREDENTIALS,
    async call(action, input) {
      const headers = {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AmazonSQS.${action}`,
        authorization,
      }
      const response = await fetch(`${uri}/`, { method: 'POST', headers, body: JSON.stringify(input) })
      const text = await response.text()
      if (!response.ok) throw new Error(`${action}: ${response.status} ${text}`)
      return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    },
  }
}

/** For a program that is no test file; what it gets it closes. */
export async function findSqs(): Promise<Found<SqsServer> | null> {
  const program = sqsProgram()
  if (!program) return null
  const server = await startOwn(program)
  return fromOwn(server, addressOf(server.uri))
}

export function hasSqs(): boolean {
  return sqsProgram() !== null
}

/** The server of this test file; null: there is none. */
export const sqsServer = ofFile(findSqs)

/** A queue and its dead letters, under a prefix that nobody else has. */
export async function makeQueues(sqs: SqsServer, queues: readonly string[], attributes: object = {}): Promise<string> {
  const prefix = `t-${randomUUID().slice(0, 8)}-`
  for (const queue of queues) {
    await sqs.call('CreateQueue', { QueueName: `${prefix}${queue}-dead` })
    const deadLetterTargetArn = `arn:aws:sqs:${REGION}:${ACCOUNT}:${prefix}${queue}-dead`
    const redrive = { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 15 }) }
    await sqs.call('CreateQueue', { QueueName: prefix + queue, Attributes: { ...redrive, ...attributes } })
  }
  return prefix
}
