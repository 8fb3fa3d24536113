/** The same function as stray-parent.ts has, under the knative target. */
import { createLogger } from '../../console/logger.ts'
import { serveKnative } from '../../runtime/targets/knative/serve.ts'
import { testCloud } from '../clouds/cloud.ts'
import app from './fixtures/functions/inline/index.ts'
import config from './fixtures/functions/inline/config.ts'

const { options } = testCloud([{ name: 'inline', config, app }], { AUTH: 'platform', PORT: '0', SERVER_PORT: '0' })
const { url } = await serveKnative({ ...options, logger: createLogger(options.config) })
process.stdout.write(`${url}\n`)
