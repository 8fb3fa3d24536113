/** On a standalone server, with nobody who tells of changes: the least that there may be. */
import { describe } from 'vitest'
import { mongoServer } from '../servers/mongo.ts'
import { openPair } from './mongo-store.ts'
import { describeTaskStore } from './tasks.ts'

const server = await mongoServer()

describe.skipIf(server === null)('on a MongoDB', () => {
  describeTaskStore('mongodb', () => openPair(server!))
})
