/**
 * The conformance events of Google's functions framework, which are the nearest that there is to a conformance of
 * CloudEvents over HTTP: 17 events in binary mode, structured mode, and as they were before CloudEvents. `TEST_FF_CONFORM`
 * is the command of their client. The framework itself drops `datacontenttype` in binary mode, under its `cloudevent`
 * signature; strictly none of ours does.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { hasClients } from './installed.ts'
import { entry, freePort, startProgram } from './programs.ts'
import { hasStores, openStores } from './stores.ts'

const CLIENT = process.env['TEST_FF_CONFORM']
const FUNCTIONS_FOLDER = fileURLToPath(new URL('fixtures/functions', import.meta.url))
const FRAMEWORK = fileURLToPath(
  new URL('../../runtime/node_modules/@google-cloud/functions-framework/build/src/main.js', import.meta.url),
)
const CASES = 51
const CASES_TODAY = 34

type Target = 'node' | 'knative' | 'google-cloud'

function commandOf(target: Target, port: number): { command: string[]; env: Record<string, string> } {
  if (target === 'node') return { command: [process.execPath, entry('node')], env: { SERVER_PORT: String(port) } }
  if (target === 'knative') return { command: [process.execPath, entry('knative')], env: { PORT: String(port) } }
  const source = `--source=${entry('google-cloud')}`
  return { command: [process.execPath, FRAMEWORK, '--target=revela', source, `--port=${port}`], env: {} }
}

/** What the client says of one function on a target: how many cases passed, and each that did not. */
async function conform(target: Target, name: string, ...args: string[]) {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'revela-conform-'))
  stack.defer(async () => await rm(folder, { recursive: true, force: true }))
  const stores = target === 'node' ? {} : { ...stack.use(await openStores()).env, AUTH: 'platform' }
  const port = await freePort()
  const { command, env } = commandOf(target, port)
  const output = join(folder, 'function_output.json')
  const program = await startProgram({
    command,
    port,
    cwd: folder,
    env: {
      FUNCTIONS_FOLDER,
      FUNCTION_OUTPUT: output,
      FUNCTIONS: name,
      K_SINK: 'http://127.0.0.1:9',
      ...stores,
      ...env,
    },
  })
  stack.defer(async () => await program.stop())
  const [file, ...first] = CLIENT!.split(' ') as [string, ...string[]]
  const said = await new Promise<string>((resolve) => {
    const all = [...first, '--url', program.url, '--output', output, ...args]
    execFile(file, all, { cwd: folder }, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
  const [, passed] = /^(\d+) passed, \d+ failed$/m.exec(said) ?? []
  return { passed: Number(passed), failures: said.split('\n').filter((line) => line.startsWith('not ok')) }
}

const stores = await hasStores()
const all = (passed: number) => ({ passed, failures: [] })
const EVENTS = ['--type', 'cloudevent']
const TODAY = [...EVENTS, '--no-mapping']

describe.skipIf(!CLIENT)('conformance', { timeout: 120_000 }, () => {
  test.skipIf(!hasClients)('node: all events, as an http function has them', async () => {
    expect(await conform('node', 'conform', ...EVENTS)).toEqual(all(CASES))
  })

  describe.skipIf(!stores)('on clouds', () => {
    test('knative: all events, as an http function has them', async () => {
      expect(await conform('knative', 'conform', ...EVENTS)).toEqual(all(CASES))
    })

    test('knative: all events of today, as a queue function has them', async () => {
      expect(await conform('knative', 'conform-event', ...TODAY)).toEqual(all(CASES_TODAY))
    })

    test.each([
      ['conform', 'http'],
      ['slow', 'concurrency'],
    ])('google-cloud: %s by %s', async (name, type) => {
      expect(await conform('google-cloud', name, '--type', type)).toEqual(all(1))
    })

    test('google-cloud: an event, as a queue function has it', async () => {
      expect(await conform('google-cloud', 'conform-event', ...TODAY, '--only', 'storage')).toEqual(all(2))
    })
  })
})
