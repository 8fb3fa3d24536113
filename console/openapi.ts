/** The OpenAPI 3.1 document: each http function's own part, with what the runtime adds around every one. */
import type { Description } from './describe.ts'
import type { LoadedFunction } from '../runtime/loader.ts'

interface Operation {
  parameters?: { $ref?: string; in?: string; required?: boolean }[]
  requestBody?: { required?: boolean }
  responses: Record<string, unknown>
  security?: unknown[]
}

/** What the runtime may answer for any function; a function's own words for a status win. */
const RUNTIME_ANSWERS: Record<string, string> = {
  400: 'The request could not be read.',
  401: 'No API key, or a wrong one; only where the server has keys.',
  403: 'A link whose signature is altered or expired; or a cross-site request to a server without keys.',
  408: 'The body stopped arriving.',
  421: 'The server has no keys and answers to localhost only.',
  429: 'RATE_LIMIT is reached.',
  431: 'The headers are too large.',
  500: 'The function failed.',
  502: 'The process that ran the function ended.',
  503: 'No slot or a store that is away; `Retry-After` says when to ask again.',
  504: 'The function did not answer in its time.',
}

function problem(description: string): unknown {
  return { description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } }
}

function complete(operation: Operation, auth: 'key' | 'link'): Operation {
  const added = Object.entries(RUNTIME_ANSWERS).filter(([status]) => !(status in operation.responses))
  const responses = {
    ...operation.responses,
    ...Object.fromEntries(added.map(([status, words]) => [status, problem(words)])),
  }
  // The route says false, so that no validator of the library touches the stream; a body is required all the same.
  const body = operation.requestBody ? { requestBody: { ...operation.requestBody, required: true } } : {}
  const security = [{}, { apiKey: [] }, { bearer: [] }, ...(auth === 'link' ? [{ link: [] }] : [])]
  return { ...operation, ...body, responses, security }
}

export interface DocumentInfo {
  version: string
  publicUrl: string | undefined
}

const ABOUT = `Send a picture, get 202 and a task, and soon its variants.

Errors are RFC 9457 problems: match their \`code\`. \`/problems/{code}\` says what each means and what to do.`

/** Functions that cannot be loaded are left out: the others' documentation stands. */
export async function buildDocument(
  functions: readonly LoadedFunction[],
  { version, publicUrl }: DocumentInfo,
): Promise<unknown> {
  const paths: Description['paths'] = {}
  const components: Description['components'] = {}
  for (const fn of functions) {
    const { trigger } = fn.config
    if (trigger.type !== 'http') continue
    const description = await fn.host.describe().catch(() => null)
    if (!description) continue
    for (const [path, methods] of Object.entries(description.paths)) {
      const operations = Object.entries(methods).map(([method, operation]) => [
        method,
        complete(operation as Operation, trigger.auth),
      ])
      paths[path] = { ...paths[path], ...Object.fromEntries(operations) }
    }
    for (const [kind, entries] of Object.entries(description.components))
      components[kind] = { ...components[kind], ...entries }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Revela', version, description: ABOUT, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: publicUrl ?? '/' }],
    paths,
    components: {
      ...components,
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
        link: { type: 'apiKey', in: 'query', name: 'sig', description: 'A signed link, as a Task carries it.' },
      },
    },
  }
}
