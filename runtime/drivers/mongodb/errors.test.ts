import { MongoNetworkError, MongoServerError, MongoServerSelectionError, MongoWriteConcernError } from 'mongodb'
import { expect, test } from 'vitest'
import { Problem } from '#shared/errors.ts'
import { NOT_RUN_HEADER } from '#shared/verdict.ts'
import { attempt, hasCode, isDuplicate, isOutage } from './errors.ts'

const serverError = (code: number) => new MongoServerError({ message: 'x', code })

test.each<[string, unknown, boolean]>([
  ['a network error', new MongoNetworkError('x'), true],
  ['a socket that broke', Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET' }), true],
  ['a file that is not there', Object.assign(new Error('x'), { code: 'ENOENT' }), false],
  ['no server', new MongoServerSelectionError('x', {} as never), true],
  ['a primary that stepped down', serverError(189), true],
  ['a disk that is full', serverError(14_031), true],
  ['a wrong password', serverError(18), true],
  ['a majority that did not answer', new MongoWriteConcernError({ writeConcernError: { code: 64 } } as never), true],
  ['a document that does not fit', serverError(121), false],
  ['an id that is taken', serverError(11_000), false],
  ['a mistake of ours', new TypeError('x'), false],
  ['a thrown string', 'MongoNetworkError', false],
])('%s', (_name, error, expected) => {
  expect(isOutage(error)).toBe(expected)
})

test('an outage becomes a problem with its cause; what is none, and a problem, stay as they are', async () => {
  const outage = new MongoNetworkError('x')
  // A message whose function could not reach its tasks loses no attempt.
  const headers = { 'Retry-After': '2', [NOT_RUN_HEADER]: '1' }
  const problem = { code: 'unavailable', status: 503, headers, cause: outage }
  await expect(attempt('task store', () => Promise.reject(outage))).rejects.toMatchObject(problem)
  for (const error of [serverError(121), new Problem('not-found', 'x')]) {
    await expect(attempt('task store', () => Promise.reject(error))).rejects.toBe(error)
  }
  expect(await attempt('task store', async () => 1)).toBe(1)
})

test('codes are told apart', () => {
  expect(isDuplicate(serverError(11_000))).toBe(true)
  expect(hasCode(serverError(86), 85, 86)).toBe(true)
  expect(hasCode(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 86)).toBe(false)
})
