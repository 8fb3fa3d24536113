/** The served document is valid OpenAPI 3.1, and says of the routes what the functions' configs say. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FunctionConfig } from '#shared/function.ts'
import { embedded } from './scenarios/embedded.ts'
import type { Running } from './scenarios/target.ts'

interface Parameter {
  name: string
  in: string
  required?: boolean
  description?: string
}
interface Operation {
  operationId?: string
  summary?: string
  description?: string
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, unknown> }
  responses: Record<string, { description?: string }>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
}

const FUNCTIONS = new URL('../functions/', import.meta.url)

async function configs(): Promise<FunctionConfig[]> {
  const names = await readdir(FUNCTIONS)
  const modules = await Promise.all(
    names.map(
      async (name) => (await import(new URL(`${name}/config.ts`, FUNCTIONS).href)) as { default: FunctionConfig },
    ),
  )
  return modules.map((module) => module.default)
}

describe('/openapi.json', () => {
  let runtime: Running
  let document: Document
  beforeAll(async () => {
    runtime = await embedded.start({})
    document = (await (await fetch(`${runtime.url}/openapi.json`)).json()) as Document
  })
  afterAll(async () => await runtime.stop())
  const operations = (): [string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, Operation] => [
        `${method.toUpperCase()} ${path}`,
        operation,
      ]),
    )

  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document) as never)
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined })
    expect(document.openapi).toMatch(/^3\.1\./)
  })

  test('has every route of every config, and no other', async () => {
    const routes = (await configs()).flatMap(({ trigger }) => (trigger.type === 'http' ? trigger.routes : []))
    expect(
      operations()
        .map(([route]) => route)
        .toSorted(),
    ).toEqual(routes.toSorted())
  })

  test('names, explains and bounds each operation', () => {
    const ids = operations().map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [route, { operationId, summary, description, parameters = [], responses }] of operations()) {
      expect([route, operationId, summary, description]).toEqual([
        route,
        expect.stringMatching(/^[a-z]+[A-Za-z]+$/),
        expect.stringMatching(/./),
        expect.stringMatching(/./),
      ])
      const inPath = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = parameters.filter((parameter) => parameter.in === 'path')
      expect([route, declared.map(({ name }) => name)]).toEqual([route, inPath])
      expect(declared.every(({ required }) => required === true)).toBe(true)
      for (const { description: words } of Object.values(responses)) expect(words).toMatch(/./)
    }
  })

  test('takes three kinds of body, one of which must be there', () => {
    const body = document.paths['/tasks']!.post!.requestBody!
    expect(body.required).toBe(true)
    expect(Object.keys(body.content).toSorted()).toEqual([
      'application/json',
      'application/octet-stream',
      'image/*',
      'multipart/form-data',
    ])
  })
})
