import { describe } from 'vitest'
import { scenarios } from './scenarios.ts'
import { hasServers, serversApart } from './servers.ts'

describe.skipIf(!(await hasServers()))('with MongoDB and Redis', () => {
  scenarios(serversApart)
})
