/**
 * AWS's own runtime client, fed from a runtime API of the test's: what it sends back, as it sends it. `TEST_LAMBDA_RIC`:
 * the path of aws-lambda-ric's index.mjs.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const RIC = process.env['TEST_LAMBDA_RIC']
export const hasRuntimeClient = Boolean(RIC)

export interface Sent {
  kind: 'response' | 'error'
  headers: IncomingHttpHeaders
  /** As it comes. */
  body: IncomingMessage
}

export interface LambdaRuntime extends AsyncDisposable {
  /** Resolves with the head of what the runtime client sends back for the event. */
  invoke(event: unknown, remainingMs?: number): Promise<Sent>
}

const BASE = '/2018-06-01/runtime/'

/** `module` exports the handler by this name. */
export async function lambdaRuntime(module: URL, handler: string, env: Record<string, string>): Promise<LambdaRuntime> {
  const events: { event: unknown; until: number }[] = []
  const waiting: (() => void)[] = []
  const sent: ((sent: Sent) => void)[] = []
  let failed: (error: Error) => void = () => {}
  const broken = new Promise<never>((_, reject) => (failed = reject))
  broken.catch(() => {})

  const next = async () => {
    while (events.length === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    return events.shift()!
  }
  let ids = 0
  const server = createServer((request, response) => {
    void (async () => {
      const { url = '' } = request
      if (url === `${BASE}invocation/next`) {
        const { event, until } = await next()
        response.writeHead(200, {
          'content-type': 'application/json',
          'lambda-runtime-aws-request-id': String(++ids),
          'lambda-runtime-deadline-ms': String(until),
          'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:us-east-1:123456789012:function:test',
        })
        response.end(JSON.stringify(event))
        return
      }
      const kind = url.endsWith('/response') ? 'response' : 'error'
      if (url.includes('/init/')) failed(new Error(Buffer.concat(await request.toArray()).toString()))
      else sent.shift()?.({ kind, headers: request.headers, body: request })
      request.once('end', () => response.writeHead(202, { 'content-type': 'application/json' }).end('{"status":"OK"}'))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const folder = await mkdtemp(join(tmpdir(), 'revela-lambda-'))
  // The client looks for a file of JavaScript.
  await writeFile(join(folder, 'index.mjs'), `export * from ${JSON.stringify(pathToFileURL(module.pathname).href)}\n`)
  const child: ChildProcess = spawn(process.execPath, [RIC!, `index.${handler}`], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: 'test',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/test',
      AWS_LAMBDA_LOG_STREAM_NAME: 'test',
      AWS_REGION: 'us-east-1',
      LAMBDA_TASK_ROOT: folder,
      _HANDLER: `index.${handler}`,
      LOG_LEVEL: 'silent',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  void exited.then(([code]) => failed(new Error(`the runtime client ended with ${String(code)}`)))

  return {
    async invoke(event, remainingMs = 30_000) {
      const answer = new Promise<Sent>((resolve) => sent.push(resolve))
      events.push({ event, until: Date.now() + remainingMs })
      waiting.shift()?.()
      return await Promise.race([answer, broken])
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
