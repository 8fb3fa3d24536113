/** Bare Hono under @hono/node-server: for each request one GET of Redis, and always the same JSON. */
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { Redis } from 'ioredis'
import { answerMessages } from './answer.ts'

const redis = new Redis(process.env['REDIS_URL']!)
const key = process.env['BENCH_KEY']!
// The answer of the contestant, so that both write as many bytes.
const body = JSON.parse((await redis.get(key))!) as object

const app = new Hono()
app.get('/', async (c) => {
  await redis.get(key)
  return c.json(body)
})

const listening = new Promise<number>((resolve) => {
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }: AddressInfo) => resolve(port))
})
answerMessages(async (): Promise<{ port: number }> => ({ port: await listening }))
