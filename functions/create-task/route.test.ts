import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import config from './config.ts'
import app from './index.ts'
import { OPTION_NAMES } from '#shared/options/schema.ts'

interface Operation {
  parameters: Array<{ name: string; in: string }>
  requestBody: { required: boolean; content: Record<string, { schema: { properties?: object } }> }
  responses: Record<string, object>
}

const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'test', version: '0' } }) as unknown as {
  paths: Record<string, { post: Operation }>
}
const operation = document.paths['/tasks']!.post

test('the document is valid', async () => {
  const result = await new Validator().validate(JSON.parse(JSON.stringify(document)) as Record<string, unknown>)
  expect(result.errors ?? []).toEqual([])
  expect(result.valid).toBe(true)
})

test('nothing of the library that made the schemas stands in it', () => {
  expect(JSON.stringify(document)).not.toContain('~standard')
})

test('config and document agree', () => {
  expect(Object.keys(document.paths).map((path) => `POST ${path}`)).toEqual(config.trigger.routes)
})

test('every option stands in the query, the form and the JSON body', () => {
  const query = operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name)
  const members = (type: string) => Object.keys(operation.requestBody.content[type]!.schema.properties ?? {})
  expect(query).toEqual(OPTION_NAMES)
  expect(members('multipart/form-data')).toEqual(['image', ...OPTION_NAMES])
  expect(members('application/json')).toEqual(['url', 'taskId', ...OPTION_NAMES])
})

test('every kind of body and every status is described', () => {
  expect(Object.keys(operation.requestBody.content)).toEqual([
    'multipart/form-data',
    'image/*',
    'application/octet-stream',
    'application/json',
  ])
  expect(operation.requestBody.required).toBe(true)
  expect(Object.keys(operation.responses)).toEqual([
    '201',
    '202',
    '400',
    '404',
    '408',
    '409',
    '410',
    '413',
    '415',
    '422',
    '503',
  ])
})
