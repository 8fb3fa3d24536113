/** What the build would write for the knative target, of the functions that FUNCTIONS names. */
import { readConfig } from '../../../runtime/config.ts'
import { openKnative } from '../../../stacks/knative.ts'
import { serveKnative } from '../../../runtime/targets/knative/serve.ts'
import { bundle } from './bundle.ts'

const config = readConfig()
await serveKnative({ functions: await bundle(config.FUNCTIONS), config, openStack: openKnative })
