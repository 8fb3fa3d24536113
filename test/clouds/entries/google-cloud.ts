/** What the build would write for the google-cloud target, of the functions that FUNCTIONS names. */
import { readConfig } from '../../../runtime/config.ts'
import { openGoogleCloud } from '../../../stacks/google-cloud.ts'
import { googleCloud } from '../../../runtime/targets/google-cloud/handler.ts'
import { bundle } from './bundle.ts'

const config = readConfig()
export const revela = await googleCloud({
  functions: await bundle(config.FUNCTIONS),
  config,
  openStack: openGoogleCloud,
})
