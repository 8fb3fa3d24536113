import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isAlive, startProcess } from '../../../test/runtime/child.ts'
import { containedFunction } from '../../../test/runtime/function.ts'
import { until } from '../../../test/runtime/until.ts'
import { containerCommand, effectiveConcurrency, memoryLimitBytes } from './command.ts'
import { CONTAINER_MEMORY_BYTES, RUNTIME_MEMORY_BYTES } from './limits.ts'

const PARENT = new URL('../../../test/runtime/container-parent.ts', import.meta.url)
const onLinux = process.platform === 'linux'
const withSetpriv = containerCommand().diesWithParent
/** How long a container may outlive a runtime that was killed. */
const ORPHAN_MS = 1_000

afterEach(() => vi.unstubAllEnvs())

describe("a container's process", () => {
  it('has a clean environment', async () => {
    const secrets = ['API_KEY', 'SIGNING_KEYS', 'WEBHOOK_SECRET', 'MONGODB_URI', 'REDIS_PASSWORD', 'NODE_OPTIONS']
    for (const name of secrets) vi.stubEnv(name, name === 'NODE_OPTIONS' ? '--no-warnings' : 'hush-hush')
    await using probe = await containedFunction('probe', { timeoutMs: 20_000 })
    const text = await (await probe.call('/probe/env')).text()
    expect(text).not.toContain('hush-hush')
    const { env } = JSON.parse(text) as { env: Record<string, string> }
    expect(Object.keys(env)).toEqual(
      env.LD_PRELOAD === undefined ? ['MALLOC_ARENA_MAX'] : ['LD_PRELOAD', 'MALLOC_CONF'],
    )
  })

  it.each(['setpriv', 'watchdog'])(
    'is gone soon after its runtime was killed, though it spins (%s)',
    async (variant) => {
      if (variant === 'setpriv' && !withSetpriv) return
      await using parent = startProcess(PARENT, [variant])
      const pid = Number(await parent.line('the pid of its container', (line) => /^\d+$/.test(line)))
      if (onLinux) await until('it spins', () => cpuTicks(pid) > 100)
      process.kill(parent.pid, 'SIGKILL')
      await parent.exit
      expect(await until('the container is gone', () => !isAlive(pid), ORPHAN_MS)).toBe(true)
    },
  )

  it('hears no Ctrl-C', async () => {
    await using parent = startProcess(PARENT, ['setpriv', 'idle'])
    const before = await parent.line('its container', (line) => /^\d+$/.test(line))
    process.kill(-parent.pid, 'SIGINT')
    await parent.line('the runtime hears it', (line) => line === 'SIGINT')
    const seen = parent.lines.length
    parent.child.stdin!.write('again\n')
    expect(await parent.line('its container again', (line) => /^\d+$/.test(line), seen)).toBe(before)
  })

  it.runIf(onLinux)('leaves no descriptor and no process behind', async () => {
    const count = () => ({ files: readdirSync('/proc/self/fd').length, children: childrenOf(process.pid) })
    // Whatever is opened once, by the first of them, stays.
    await (await containedFunction('probe')).fn.host.load()
    const before = count()
    for (const path of ['/probe/ok', '/probe/exit', '/probe/spin', '/probe/endless']) {
      await using probe = await containedFunction('probe', { timeoutMs: 5_000 })
      await (await probe.call('/probe/ok')).text()
      probe.fn.config.timeoutMs = 200
      await probe.call(path)
    }
    for (const name of ['broken-import', 'broken-exits']) {
      await using broken = await containedFunction(name)
      await expect(broken.fn.host.load()).rejects.toThrow(/no_such_package|ended/)
    }
    await until('all is as before', () => JSON.stringify(count()) === JSON.stringify(before))
  })

  it.runIf(onLinux)('that cannot be had, since too many files are open, fails its call and nothing else', () => {
    const line = `ulimit -Sn 100 && exec "$0" --disable-warning=ExperimentalWarning "$1"`
    const script = fileURLToPath(new URL('../../../test/runtime/descriptors-parent.ts', import.meta.url))
    const { stdout, stderr } = spawnSync('sh', ['-c', line, process.execPath, script], { encoding: 'utf8' })
    expect({ stdout, stderr }).toMatchObject({ stdout: '503 200\n' })
  })

  it('is replaced after its last invocation without cutting off the answer of that', async () => {
    await using probe = await containedFunction('probe', { timeoutMs: 20_000, pool: { invocationsMax: 1 } })
    const response = await probe.call('/probe/large?kib=60')
    // All of it left the child long ago when the next one is answered.
    const reading = response.body!.getReader()
    const first = await reading.read()
    const next = probe.call('/probe/pid')
    let bytes = first.value!.length
    for (let part = await reading.read(); !part.done; part = await reading.read()) bytes += part.value.length
    expect(bytes).toBe(60 * 1024)
    expect(Number(await (await next).text())).toBeGreaterThan(0)
  })
})

/** Clock ticks of CPU that a process has taken: utime and stime of proc(5), after the name in brackets. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}

function childrenOf(pid: number): string {
  const path = `/proc/${pid}/task/${pid}/children`
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
}

describe('how many containers fit', () => {
  const memoryFor = (containers: number) => RUNTIME_MEMORY_BYTES + containers * CONTAINER_MEMORY_BYTES

  it.each([
    ['what is asked for', 3, 8, null, 3],
    ['the cores', 8, 2, null, 2],
    ['the memory', 8, 8, memoryFor(4), 4],
    ['the memory, a byte too little', 8, 8, memoryFor(4) - 1, 3],
    ['never none', 8, 8, 1, 1],
  ])('%s', (_what, asked, cores, memory, fit) => {
    expect(effectiveConcurrency(asked, cores, memory)).toBe(fit)
  })

  it.each([
    [{ '/sys/fs/cgroup/memory.max': 5 }, 5],
    [{ '/sys/fs/cgroup/memory/memory.limit_in_bytes': 6 }, 6],
    [{}, null],
  ])('the limit of the cgroup: %j', (files: Record<string, number>, bytes) => {
    expect(memoryLimitBytes((path) => files[path] ?? null)).toBe(bytes)
  })
})
