/** A process that writes a file of its own, says how far it is, and waits to be killed. */
import { tempFile } from '../../runtime/drivers/blobs/temp-file.ts'

async function* source(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(100_000)
  // Asked for more: the first part was written.
  process.stdout.write('half\n')
  await new Promise((resolve) => process.stdin.once('data', resolve))
  yield Buffer.alloc(100_000)
}

await using file = await tempFile(source())
process.stdout.write(`${file.path}\n`)
await new Promise((resolve) => process.stdin.once('end', resolve))
