import { describe } from 'vitest'
import { mongoServer } from '../servers/mongo.ts'
import { notifierHub, openPair } from './mongo-store.ts'
import { describeTaskStore } from './tasks.ts'

const server = await mongoServer()

describe.skipIf(server === null)('on a MongoDB', () => {
  describeTaskStore('mongodb, no notifier', () => openPair(server!))
  describeTaskStore('mongodb, with a notifier', () =>
    openPair(server!, { notifier: notifierHub().notifier, pollMs: 1_000 }),
  )
})
