/** What platforms are told of the project's own functions is what those need to do what they do elsewhere. */
import { describe, expect, test } from 'vitest'
import { SECOND_MS } from '#shared/limits.ts'
import { UPLOAD_TOTAL_MS } from '../runtime/limits.ts'
import { CLOUDS } from './entries.ts'
import { knativeFiles } from './manifests/knative.ts'
import { specsOnKnative, unitsOn } from './units.fixture.ts'

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

  test('a request may take as long as an upload may; a gateway that gives up itself is waited for, no longer', () => {
    const longest = (own: typeof units): number => Math.max(...own.map(({ seconds }) => seconds))
    const http = units.filter(({ functions }) => functions.some(({ config }) => config.trigger.type === 'http'))
    const others = units.filter((unit) => !http.includes(unit))
    expect(longest(http)).toBe(cloud === 'aws-lambda' ? 30 : UPLOAD_TOTAL_MS / SECOND_MS)
    expect(longest(others)).toBe(61)
  })

  test('hostile pictures find no key beside them', () => {
    const isolated = units.filter(({ functions }) => functions.every(({ config }) => config.isolation === 'process'))
    expect(isolated.map(({ functions }) => functions.map(({ name }) => name))).toEqual([['process-image']])
    for (const { environment } of isolated) {
      expect(Object.keys(environment).filter((name) => /API_KEY|SIGNING_KEYS|WEBHOOK/.test(name))).toEqual([])
    }
  })
})

test('google-cloud: what the service is told of its time is the time that it has', () => {
  for (const { environment, seconds } of unitsOn('google-cloud')) {
    expect(environment['CLOUD_RUN_TIMEOUT_SECONDS']).toBe(String(seconds))
  }
})

describe('knative', () => {
  const specs = specsOnKnative()

  test('an answer may begin as late as a request may end, whatever the default of a cluster', () => {
    for (const { timeoutSeconds, responseStartTimeoutSeconds } of specs) {
      expect(responseStartTimeoutSeconds).toBe(timeoutSeconds)
    }
  })

  test('who may not be root is a user by number, of whom alone a kubelet knows that he is not', () => {
    expect(specs.map(({ containers: [{ securityContext }] }) => securityContext?.runAsNonRoot)).not.toContain(undefined)
    const [, user] = /^USER (.*)$/m.exec(knativeFiles()['Dockerfile']!)!
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  })
})
