/** As production has it: a replica set of one member (majorities, retryable writes), and a notifier. */
import { afterAll, beforeAll, describe } from 'vitest'
import { hasOwnMongo, ownMongo } from '../servers/mongo.ts'
import type { OwnServer } from '../servers/own.ts'
import { NEVER_MS, notifierHub, openPair } from './mongo-store.ts'
import { describeTaskStore } from './tasks.ts'

describe.skipIf(!hasOwnMongo({ set: true }))('on a replica set', () => {
  let own: OwnServer
  beforeAll(async () => {
    own = (await ownMongo({ set: true }))!
  })
  afterAll(() => own[Symbol.asyncDispose]())

  describeTaskStore('mongodb, with a notifier', () =>
    openPair(own.uri, { notifier: notifierHub().notifier, pollMs: NEVER_MS }),
  )
})
