/**
 * What Azure's host and its worker do around the library when HTTP streams: the invocation says who is called, and the
 * request itself goes to an address that the library listens on, with the invocation's id. `azure-stream-host.ts FILE
 * PORT` runs the app that FILE registers; every request goes to its catch-all.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import Module from 'node:module'
import { pathToFileURL } from 'node:url'

interface Registered {
  metadata: { name: string; bindings: Record<string, { type: string }> }
  callback: unknown
}
interface Invocation {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>
  invokeFunction(context: unknown, inputs: unknown[], callback: unknown): Promise<unknown>
  getResponse(context: unknown, result: unknown): Promise<unknown>
}
interface Model {
  getCapabilities(capabilities: object): Promise<{ HttpUri: string }>
  getInvocationModel(context: object): Invocation
}

const functions = new Map<string, Registered>()
let model: Model | undefined
const core = {
  version: '3.13.0',
  hostVersion: '4.1048.100.1',
  setProgrammingModel: (given: Model) => (model = given),
  getProgrammingModel: () => model,
  log: () => {},
  Disposable: Object,
  registerHook: () => ({}),
  registerFunction(metadata: Registered['metadata'], callback: unknown) {
    functions.set(metadata.name, { metadata, callback })
    return {}
  },
}
// Nothing of that module lies on a disk: the worker makes it up for whoever requires it.
const loader = Module as unknown as Record<'_load', (id: string, ...rest: unknown[]) => unknown>
const load = loader['_load']
loader['_load'] = (id, ...rest) => (id === '@azure/functions-core' ? core : Reflect.apply(load, loader, [id, ...rest]))

async function invoke({ metadata, callback }: Registered, invocationId: string, headers: object): Promise<void> {
  const name = Object.keys(metadata.bindings).find((key) => /trigger$/i.test(metadata.bindings[key]!.type))
  const invocation = model!.getInvocationModel({
    invocationId,
    metadata,
    request: { inputData: [{ name, data: {} }], triggerMetadata: { Headers: { json: JSON.stringify(headers) } } },
    log: () => {},
  })
  const { context, inputs } = await invocation.getArguments()
  await invocation.getResponse(context, await invocation.invokeFunction(context, inputs, callback))
}

const [, , file, port] = process.argv as [string, string, string, string]
await import(pathToFileURL(file).href)
const { HttpUri } = await model!.getCapabilities({})

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const id = randomUUID()
  const forwarded = { 'x-forwarded-host': incoming.headers.host ?? '', 'x-forwarded-proto': 'http' }
  invoke(functions.get('revela-edge')!, id, incoming.headers).catch(() => outgoing.writeHead(500).end())
  const headers = { ...incoming.headers, ...forwarded, 'x-ms-invocation-id': id }
  const proxied = request(new URL(incoming.url!, HttpUri), { method: incoming.method!, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(outgoing)
  })
  incoming.pipe(proxied)
}

const server = createServer(forward).listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  process.exit(0)
})
