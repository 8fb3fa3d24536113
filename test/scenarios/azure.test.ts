import { describe } from 'vitest'
import { hasStores } from '../clouds/stores.ts'
import { azure, AZURE_HOST } from './azure.ts'
import { scenarios } from './scenarios.ts'

describe.skipIf(!AZURE_HOST || !(await hasStores()))('with MongoDB and S3', () => {
  scenarios(azure)
})
