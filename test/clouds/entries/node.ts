/** The node target, over the functions of another folder. */
import { readConfig } from '../../../runtime/config.ts'
import { startRuntime } from '../../../runtime/main.ts'
import { drainOnSignal } from '../../../cli/signals.ts'

const runtime = await startRuntime(readConfig(), { functionsFolder: process.env['FUNCTIONS_FOLDER']! })
drainOnSignal(
  () => runtime.close(),
  () => {},
)
