/**
 * What stands in for Lambda: a host that runs a bundle under AWS's own runtime client, behind an emulator of API Gateway,
 * and a poller that takes messages of SQS to it. `TEST_LAMBDA_HOST` and `TEST_SQS_LAMBDA` are the commands of the two,
 * without their options.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const HOST = process.env['TEST_LAMBDA_HOST']?.split(' ')
const POLLER = process.env['TEST_SQS_LAMBDA']?.split(' ')
export const hasLambdaHost = HOST !== undefined && POLLER !== undefined

export interface Host {
  /** It holds index.mjs. */
  folder: string
  port: number
  /** How long an invocation may take: then its instance is killed. */
  seconds: number
  /** Invocations at once. */
  instances: number
}

export function hostCommand({ folder: dir, seconds: timeout, ...host }: Host, env: Record<string, string>): string[] {
  const options = { dir, handler: 'index.handler', timeout, ...host }
  const named = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  return [...HOST!, ...named, ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`])]
}

export interface Polling {
  queueUrl: string
  lambda: string
  batch: number
}

/** What Lambda's event source mapping does, with ReportBatchItemFailures. */
export function poll({ queueUrl, lambda, batch }: Polling): AsyncDisposable {
  const [file, ...args] = POLLER!
  const options = ['--queue', queueUrl, '--lambda', lambda, '--batch', String(batch), '--seconds', '86400']
  const child = spawn(file!, [...args, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

export async function invoke(lambda: string, event: unknown): Promise<void> {
  const url = `${lambda}/2015-03-31/functions/_/invocations`
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(event) })
  await response.body?.cancel()
}
