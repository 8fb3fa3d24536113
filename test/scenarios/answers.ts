/** Every answer that the scenarios got, held against what the OpenAPI document says may come. */
import { expect } from 'vitest'

interface Answer {
  method: string
  path: string
  status: number
  type: string | null
}

const answers: Answer[] = []

export function note(method: string, { url, status, headers }: Response): void {
  const path = new URL(url).pathname
  answers.push({ method: method.toLowerCase(), path, status, type: headers.get('content-type') })
}

interface Operation {
  responses: Record<string, { content?: Record<string, unknown> }>
}
export interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>
}

function fits(template: string, path: string): boolean {
  const segments = path.split('/')
  const pattern = template.split('/')
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part.startsWith('{') ? segments[index] !== '' : part === segments[index]))
  )
}

function describes(operation: Operation, { method, status, type }: Answer): boolean {
  const response = operation.responses[status]
  if (!response) return false
  // A HEAD has the headers of a body and none.
  if (type === null || method === 'head') return true
  return Object.keys(response.content ?? {}).includes(type.split(';')[0]!)
}

/** Answers that the document does not know. What is no operation of it (405, 404, OPTIONS) is not its matter. */
export function undocumented({ paths }: OpenApiDocument): string[] {
  const lines = answers.flatMap((answer) => {
    const template = Object.keys(paths).find((path) => fits(path, answer.path))
    const operation = template && paths[template]![answer.method === 'head' ? 'get' : answer.method]
    if (!operation || describes(operation, answer)) return []
    return [`${answer.method} ${template}: ${answer.status} ${answer.type}`]
  })
  return [...new Set(lines)]
}

/** Guards the guard: so few answers would mean that the scenarios did not run. */
export function expectAnswers(min: number): void {
  expect(answers.length).toBeGreaterThan(min)
}
