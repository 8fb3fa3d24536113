/**
 * A process that holds one container, for tests of what becomes of it. `node container-parent.ts setpriv|watchdog`
 * prints the container's pid once it spins, or, with `idle`, answers each line on stdin with its pid; with `hostile` it
 * does so after the container said what is no message, and the status of that was printed.
 */
import { createInterface } from 'node:readline'
import { containerCommand } from '../../runtime/targets/node/command.ts'
import { startContainer } from '../../runtime/targets/node/container.ts'
import { containedFunction } from './function.ts'

const [variant, mode] = process.argv.slice(2)
const command = variant === 'watchdog' ? containerCommand(null) : containerCommand()
const probe = await containedFunction('probe', {
  timeoutMs: 60_000,
  pool: { start: (init, options) => startContainer(init, { ...options, command }) },
})

async function tellPid(): Promise<void> {
  process.stdout.write(`${await (await probe.call('/probe/pid')).text()}\n`)
}

process.on('SIGINT', () => process.stdout.write('SIGINT\n'))
await tellPid()
if (mode === 'hostile') {
  const response = await probe.call('/probe/bytes?hex=0000000401020304')
  process.stdout.write(`${response.status}\n`)
}
if (mode === 'idle' || mode === 'hostile') createInterface(process.stdin).on('line', () => void tellPid())
else void probe.call('/probe/spin')
