/** The same tasks on a replica set of one member, as production has it: majorities, retryable writes, real read concerns. */
import { afterAll, beforeAll, describe } from 'vitest'
import { hasOwnMongo, ownMongo } from '../servers/mongo.ts'
import type { OwnServer } from '../servers/own.ts'
import { openPair } from './mongo-store.ts'
import { describeTaskStore } from './tasks.ts'

describe.skipIf(!hasOwnMongo({ set: true }))('on a replica set', () => {
  let own: OwnServer
  beforeAll(async () => {
    own = (await ownMongo({ set: true }))!
  })
  afterAll(() => own[Symbol.asyncDispose]())

  describeTaskStore('mongodb, a replica set', () => openPair(own.uri))
})
