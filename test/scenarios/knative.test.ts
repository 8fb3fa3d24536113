import { describe } from 'vitest'
import { hasStores } from '../clouds/stores.ts'
import { knative } from './knative.ts'
import { scenarios } from './scenarios.ts'

describe.skipIf(!(await hasStores()))('with MongoDB and S3', () => {
  scenarios(knative)
})
