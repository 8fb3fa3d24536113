/** The functions that the tests of `npm run dev` edit, as text: `word` is what tells an old one from a new one. */
import type { Files } from './workshop.ts'

export function httpFunction(word: string): string {
  return `
import { createHash } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import { createApp } from '#shared/http.ts'
import { part } from './part.ts'

const app = createApp()
const responses = { 200: { description: 'The word ${word}.', content: { 'text/plain': { schema: z.string() } } } }

app.openapi(createRoute({ method: 'get', path: '/word', responses }), (c) => c.text(\`${word} \${part}\`))
/** Answers when the body that it is sent is over. */
app.post('/word', async (c) => c.text(\`${word} \${await c.req.text()}\`))
app.post('/hash', async (c) => {
  const hash = createHash('sha256')
  for await (const chunk of c.req.raw.body) hash.update(chunk)
  return c.text(hash.digest('hex'))
})
/** An event for each line of the body. */
app.post('/events', (c) => {
  const events = c.req.raw.body.pipeThrough(new TransformStream({
    transform: (chunk, controller) =>
      controller.enqueue(new TextEncoder().encode(\`data: ${word} \${new TextDecoder().decode(chunk)}\\n\\n\`)),
  }))
  return new Response(events, { headers: { 'Content-Type': 'text/event-stream' } })
})

export default app
`
}

export const HTTP_FILES: Files = {
  'word/config.ts': `export default {
  trigger: { type: 'http', routes: ['GET /word', 'POST /word', 'POST /hash', 'POST /events'] },
  timeoutMs: 60_000,
}`,
  'word/part.ts': "export const part = 'part'",
  'word/index.ts': httpFunction('old'),
}

/** Asks the URL that its message names, and then writes under the message's id which code it was. */
export function queueFunction(word: string): string {
  return `
import { createApp } from '#shared/http.ts'
import { readEvent } from '#shared/message.ts'

const app = createApp()

app.post('/', async (c) => {
  const { id, data } = await readEvent(c.req.raw)
  const response = await c.env.fetch.request(data.url, { method: 'GET', signal: c.env.invocation.signal })
  await response.body?.cancel()
  await c.env.tasks.writeCursor(id, '${word}')
  return c.body(null, 204)
})

export default app
`
}

export function queueFiles(isolation: 'inline' | 'process'): Files {
  return {
    'work/config.ts': `export default {
  trigger: { type: 'queue', queue: 'work', concurrency: 1, maxAttempts: 3 },
  timeoutMs: 60_000,
  isolation: '${isolation}',
  calls: ['tasks.writeCursor'],
}`,
    'work/index.ts': queueFunction('old'),
  }
}
