/** A service's containers are replaced one by one, around a stand-in for docker. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkshop, type Workshop } from './scripts.ts'

/** Containers are the lines of a file; what is executed in one runs here, beside its /readyz. */
const STACK = `case "$*" in
  *' ps '*) cat containers;;
  *' up '*) echo >>came; echo "new-$(wc -l <came)" >>containers;;
  exec*) shift 2; SERVER_PORT=$(cat port) exec "$@";;
  rm*) sed -i "/^$2$/d" containers;;
esac`

let shop: Workshop
let server: Server
/** What each new container says of itself, in turn; the last one for ever. */
let readyz: object[]

beforeEach(async () => {
  readyz = [{ status: 'ready', functions: 3, broken: [] }]
  server = createServer((request, response) => {
    const body = readyz.length > 1 ? readyz.shift() : readyz[0]
    response.writeHead(request.url === '/readyz' ? 200 : 404).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  shop = await openWorkshop()
  await shop.docker(STACK)
  await shop.write('containers', 'old-1\nold-2\n')
  await shop.write('port', String((server.address() as AddressInfo).port))
})
afterEach(async () => {
  server.close()
  await shop[Symbol.asyncDispose]()
})

const UP = 'compose up --detach --wait --no-deps --no-build --no-recreate --scale worker=3 worker'
const DEGRADED = {
  status: 'degraded',
  functions: 2,
  broken: [{ name: 'process-image', error: 'Cannot find package sharp' }],
}

/** Of what docker was asked for, what makes, looks into or ends containers. */
async function steps(): Promise<string[]> {
  const asked = (await shop.asked()).filter((line) => !line.startsWith('compose ps'))
  return asked.map((line) => (line.startsWith('exec') ? line.split(' node ')[0]! : line))
}

describe('rollout.sh', () => {
  test('a new one is healthy, and has all of its functions, before each old one ends', async () => {
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(0)
    const replaced = (fresh: string, old: string): string[] => [UP, `exec ${fresh}`, `stop ${old}`, `rm ${old}`]
    expect(await steps()).toEqual([...replaced('new-1', 'old-1'), ...replaced('new-2', 'old-2')])
    expect(await shop.read('containers')).toBe('new-1\nnew-2\n')
  })

  test('a new one with a broken function ends, named, and the old ones stay', async () => {
    readyz = [DEGRADED]
    const { status, err } = await shop.run('rollout.sh', ['worker'])
    expect(status).toBe(1)
    expect(err).toContain('process-image is broken: Cannot find package sharp')
    expect(await steps()).toEqual([UP, 'exec new-1', 'stop new-1', 'rm new-1'])
    expect(await shop.read('containers')).toBe('old-1\nold-2\n')
  })

  test('one that answers nothing is not whole', async () => {
    await shop.write('port', '9')
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(1)
    expect(await shop.read('containers')).toBe('old-1\nold-2\n')
  })

  test('where the second new one is broken, the first stays with what is old', async () => {
    readyz = [readyz[0]!, DEGRADED]
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(1)
    expect(await shop.read('containers')).toBe('old-2\nnew-1\n')
  })

  test.each([
    ['the new one does not become healthy', STACK.replace(/echo >>came.*;;/, 'exit 1;;')],
    ['no new one comes', STACK.replace(/echo >>came.*;;/, ';;')],
    ['nothing runs', ''],
  ])('%s: nothing is stopped', async (_what, body) => {
    await shop.docker(body)
    expect((await shop.run('rollout.sh', ['worker'])).status).toBe(1)
    expect((await shop.asked()).filter((line) => line.startsWith('stop'))).toEqual([])
  })
})
