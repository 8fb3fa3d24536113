/** What the build would write for the azure target, of all functions. Its host reads bodies whole. */
import { readConfig } from '../../../runtime/config.ts'
import { openAzure } from '../../../stacks/azure.ts'
import { registerAzure } from '../../../runtime/targets/azure/register.ts'
import { bundle } from './bundle.ts'

const config = readConfig({ AZURE_HTTP_STREAM: 'off', ...process.env })
await registerAzure({ functions: await bundle(config.FUNCTIONS), config, openStack: openAzure })
