import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KIB, MIB } from '#shared/limits.ts'
import { isAlive, startProcess } from '../../../test/runtime/child.ts'
import { containedFunction, type InvokedFunction } from '../../../test/runtime/function.ts'
import { until } from '../../../test/runtime/until.ts'
import { encodeFrame } from './frames.ts'
import { CONTAINER_MESSAGE_BYTES_MAX } from './limits.ts'

const PARENT = new URL('../../../test/runtime/container-parent.ts', import.meta.url)
/** Answers that nobody reads and that the runtime holds all the same, in bytes. */
const UNREAD_BYTES_MAX = 48 * MIB

describe('a container that was taken over', () => {
  let probe: InvokedFunction
  beforeAll(async () => {
    probe = await containedFunction('probe', { timeoutMs: 20_000 })
  })
  afterAll(async () => await probe[Symbol.asyncDispose]())

  const pidOf = async (): Promise<number> => Number(await (await probe.call('/probe/pid')).text())
  const tooLong = Buffer.alloc(4)
  tooLong.writeUInt32BE(CONTAINER_MESSAGE_BYTES_MAX + 1)

  it.each([
    ['no JSON', '0000000401020304'],
    ['a message without an end to its length', 'ffffffff'],
    ['a message that is too long', tooLong.toString('hex')],
    ['a message after others in one piece', Buffer.concat([encodeFrame({}), encodeFrame(null)]).toString('hex')],
  ])('and says %s dies alone, and its caller is told', async (_what, hex) => {
    const before = await pidOf()
    const response = await probe.call(`/probe/bytes?hex=${hex}`)
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ code: 'function-died' })
    expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
    await until('the old one is gone', () => !isAlive(before))
  })

  it('and reads no answer gets no more of them than fit', async () => {
    await probe.bindings.cache.set('large', 'x'.repeat(16 * KIB), 60_000)
    await pidOf()
    const held = (): number => process.memoryUsage().external
    const before = held()
    let most = 0
    const watching = setInterval(() => (most = Math.max(most, held() - before)), 10)
    probe.fn.config.timeoutMs = 1_500
    const response = await probe.call('/probe/unread')
    probe.fn.config.timeoutMs = 20_000
    clearInterval(watching)
    expect(response.status).toBe(504)
    expect(most).toBeLessThan(UNREAD_BYTES_MAX)
    expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  })
})

it('a runtime outlives what its container says', async () => {
  await using parent = startProcess(PARENT, ['setpriv', 'hostile'])
  const pid = await parent.line('its container', (line) => /^\d+$/.test(line))
  await parent.line('what became of it', (line) => line === '502')
  parent.child.stdin!.write('again\n')
  const next = await parent.line('the next container', (line) => /^\d+$/.test(line), parent.lines.length)
  expect(next).not.toBe(pid)
})
