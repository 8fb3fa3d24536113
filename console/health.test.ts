import { expect, test } from 'vitest'
import { readiness } from './health.ts'

async function shown(error: string): Promise<string | undefined> {
  const tasks = { readCursor: async () => null }
  const broken = [{ name: 'x', error }]
  const { body } = await readiness({ tasks, functions: [], broken, isDraining: () => false })
  return body.broken[0]?.error
}

test.each([
  [
    "Cannot find module '/srv/app/functions/x/missing' imported from /srv/app/functions/x/index.ts",
    "Cannot find module 'missing' imported from index.ts",
  ],
  ["Cannot find module 'file:///srv/my%20app/x/a.ts'", "Cannot find module 'a.ts'"],
  ["ENOENT: no such file or directory, open '/etc/app/model'", "ENOENT: no such file or directory, open 'model'"],
  ["EACCES: permission denied, scandir '/home/josé/.ssh'", "EACCES: permission denied, scandir '.ssh'"],
  ['/srv/app/functions/x/index.ts:3: Unexpected token\n    at /srv/app', 'index.ts:3: Unexpected token'],
  [
    'config.ts: trigger.routes.0: expected a route such as GET /tasks/{taskId}',
    'config.ts: trigger.routes.0: expected a route such as GET /tasks/{taskId}',
  ],
  ['index.ts of a queue function must answer POST /', 'index.ts of a queue function must answer POST /'],
])('health tells why, not where: %s', async (error, told) => {
  expect(await shown(error)).toBe(told)
})
