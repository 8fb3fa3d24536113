import { expect, it } from 'vitest'
import { containedFunction } from '../../../test/runtime/function.ts'
import { containerCommand } from './command.ts'
import { startContainer } from './container.ts'
import { loadAll } from './load-later.ts'

it('a function whose first container could not start is broken until one runs', async () => {
  let starts = 0
  const start: typeof startContainer = (init, options) => {
    const command = containerCommand()
    return startContainer(init, {
      ...options,
      command: starts++ === 0 ? { ...command, file: '/no/such/file' } : command,
    })
  }
  await using probe = await containedFunction('probe', { timeoutMs: 20_000, pool: { start } })
  const told: string[] = []
  await loadAll([probe.fn], ({ error }) => told.push(error))
  expect(told).toEqual(['the container ended while it was starting'])
  expect(probe.fn.error).toBe(told[0])
  expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  expect(probe.fn.error).toBe(null)
})

it('one that never runs stays broken', async () => {
  await using broken = await containedFunction('broken-throws')
  await loadAll([broken.fn], () => undefined)
  expect((await broken.call('/')).status).toBe(503)
  expect(broken.fn.error).toBe('it throws when it is loaded')
})
