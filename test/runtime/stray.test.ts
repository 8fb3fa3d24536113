import { describe, expect, it } from 'vitest'
import { startProcess } from './child.ts'

describe.each([
  ['the local target', new URL('stray-parent.ts', import.meta.url)],
  ['knative', new URL('stray-knative.ts', import.meta.url)],
])('an inline function that leaves a promise behind, on %s', (_target, script) => {
  it.each([
    ['that rejects', '/inline/stray', 200, 'stray'],
    ['that writes after its 504', '/inline/late-write', 504, 'InvocationEnded'],
  ])('%s does not end the runtime, and is told', async (_what, path, status, told) => {
    await using parent = startProcess(script)
    const url = await parent.line('its url', (line) => line.startsWith('http://'))
    expect((await fetch(url + path)).status).toBe(status)
    await parent.line('the reason', (line) => line.includes(told))
    expect(await (await fetch(`${url}/inline/ok`)).text()).toBe('ok')
  })
})
