import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MIB } from '#shared/limits.ts'
import { picture } from '../pictures.ts'

const UPLOAD_BYTES = 200 * MIB
const GROWTH_BYTES_MAX = 40 * MIB

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function memory(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
}

/** A JPEG with bytes behind its end, made while it is sent: the client holds none of it. */
async function* longPicture(head: Buffer): AsyncGenerator<Uint8Array> {
  yield head
  const chunk = Buffer.alloc(64 * 1024, 0x55)
  for (let sent = head.length; sent < UPLOAD_BYTES; sent += chunk.length) yield chunk
}

// Peak memory is read from /proc, which is Linux alone.
test.runIf(process.platform === 'linux')(
  'a 200 MB upload adds at most 40 MB to the memory of the runtime',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'revela-upload-'))
    const port = await freePort()
    const child = spawn(process.execPath, ['cli/start.mjs', 'start'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env.PATH,
        SERVER_PORT: String(port),
        INPUT_BYTES_MAX: String(2 * UPLOAD_BYTES),
        FUNCTIONS: 'create-task,get-task',
        STORAGE_INPUT_PATH: join(folder, 'input'),
        STORAGE_OUTPUT_PATH: join(folder, 'output'),
        SQLITE_FILE: join(folder, 'tasks.sqlite'),
      },
    })
    try {
      const { promise: listening, resolve } = Promise.withResolvers<void>()
      let said = ''
      child.stderr
        .setEncoding('utf8')
        .on('data', (text: string) => void ((said += text).includes('Health') && resolve()))
      await listening
      const head = await picture({ width: 640, height: 480 })
      const post = async (body: ReadableStream | Uint8Array<ArrayBuffer>): Promise<number> => {
        const url = `http://127.0.0.1:${port}/tasks`
        const init = { method: 'POST', headers: { 'content-type': 'image/jpeg' }, body, duplex: 'half' }
        return (await fetch(url, init as RequestInit)).status
      }
      expect(await post(new Uint8Array(head))).toBe(202)
      const before = await memory(child.pid!, 'VmRSS')
      await writeFile(`/proc/${child.pid}/clear_refs`, '5')
      expect(await post(ReadableStream.from(longPicture(head)))).toBe(202)
      expect((await memory(child.pid!, 'VmHWM')) - before).toBeLessThan(GROWTH_BYTES_MAX)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
      await rm(folder, { recursive: true, force: true })
    }
  },
)
