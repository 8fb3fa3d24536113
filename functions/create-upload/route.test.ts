import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { OPTION_NAMES } from '#shared/options/schema.ts'
import app from './index.ts'

interface Operation {
  requestBody: { content: Record<string, { schema: { properties?: object; required?: string[] } }> }
}

const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'test', version: '0' } }) as unknown as {
  paths: Record<string, Record<string, Operation>>
}

test('the document is valid', async () => {
  const result = await new Validator().validate(JSON.parse(JSON.stringify(document)) as Record<string, unknown>)
  expect(result.errors ?? []).toEqual([])
  expect(JSON.stringify(document)).not.toContain('~standard')
})

test('every option of a task is one of an upload', () => {
  const { schema } = document.paths['/uploads']!['post']!.requestBody.content['application/json']!
  expect(Object.keys(schema.properties ?? {})).toEqual(['bytes', 'filename', ...OPTION_NAMES])
  expect(schema.required).toEqual(['bytes'])
})
