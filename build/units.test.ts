/** What platforms are told of the project's own functions is what those need to do what they do elsewhere. */
import { describe, expect, test } from 'vitest'
import { CLOUDS } from './entries.ts'
import { knativeFiles } from './manifests/knative.ts'
import { securityOnKnative, unitsOn } from './units.fixture.ts'

const TAKES_CALLBACKS = /^create-(task|upload)$/

describe.each(CLOUDS)('%s', (cloud) => {
  const units = unitsOn(cloud)

  test('whoever takes a callback has what callbacks are signed with: without it none is taken', () => {
    const takers = units.filter(({ functions }) => functions.some(({ name }) => TAKES_CALLBACKS.test(name)))
    expect(takers.flatMap(({ functions }) => functions.map(({ name }) => name))).toEqual(
      expect.arrayContaining(['create-task', 'create-upload']),
    )
    for (const { environment } of takers) expect(environment).toHaveProperty('WEBHOOK_SECRET')
  })

  test('hostile pictures find no key beside them', () => {
    const isolated = units.filter(({ functions }) => functions.every(({ config }) => config.isolation === 'process'))
    expect(isolated.map(({ functions }) => functions.map(({ name }) => name))).toEqual([['process-image']])
    for (const { environment } of isolated) {
      expect(Object.keys(environment).filter((name) => /API_KEY|SIGNING_KEYS|WEBHOOK/.test(name))).toEqual([])
    }
  })
})

test('knative: who may not be root is a user by number, of whom alone a kubelet knows that he is not', () => {
  expect(securityOnKnative()).not.toEqual([])
  for (const { runAsNonRoot } of securityOnKnative()) expect(runAsNonRoot).toBe(true)
  const [, user] = /^USER (.*)$/m.exec(knativeFiles()['Dockerfile']!)!
  expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
})
