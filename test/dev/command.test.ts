/** `npm run dev` itself, on a copy of the project that may be edited. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { picture } from '../pictures.ts'
import { command, PROJECT, storageIn } from '../project/command.ts'
import { PRODUCT } from '../project/folders.ts'
import { until } from '../runtime/until.ts'
import { clientOf, taskOf } from '../scenarios/client.ts'
import { eventsOf } from '../scenarios/event-stream.ts'

const LONG_MS = 90_000

async function copied(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'revela-copy-'))
  for (const name of [...PRODUCT, 'package.json']) {
    await cp(join(PROJECT, name), join(path, name), { recursive: true })
  }
  await symlink(join(PROJECT, 'node_modules'), join(path, 'node_modules'))
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) }
}

test('npm run dev finishes a task, and a change in shared/ reloads every function', { timeout: 300_000 }, async () => {
  await using project = await copied()
  await using dev = command(['dev'], {
    cwd: project.path,
    project: project.path,
    env: { ...storageIn(join(project.path, 'storage')), LOG_LEVEL: 'info' },
  })
  const [, url] = await dev.tells(/^API\s+(http:\S+)\/tasks$/m)
  await dev.tells(/^Watching functions\/ and shared\/\.$/m)
  const api = clientOf(url!)
  const cat = await picture({ width: 2400, height: 1800, format: 'png' })
  const { links } = await taskOf(await api.upload(cat, { variants: '90x' }))
  const events = []
  for await (const event of eventsOf(await api.fetch(links.events, { headers: { accept: 'text/event-stream' } })))
    events.push(event)
  expect(events.at(-1)).toMatchObject({ event: 'task', data: { status: 'completed', source: { bytes: cat.length } } })

  const file = join(project.path, 'shared/errors.ts')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace("title: 'Not found'", "title: 'Not found any more'"))
  const names = ['create-task', 'create-upload', 'delete-task', 'get-task', 'get-variant', 'list-tasks']
  for (const name of [...names, 'notify', 'process-image', 'sweep-tasks']) {
    const reloaded = new RegExp(`"function":"${name}".*"msg":"reloaded"`)
    await until(`${name} is reloaded`, () => reloaded.test(dev.stdout()), LONG_MS)
  }
  expect(await (await api.fetch('/tasks/none')).json()).toMatchObject({ title: 'Not found any more' })
  expect(await api.completed(cat, { variants: '90x' })).toMatchObject({ status: 'completed' })
  dev.signal('SIGINT')
  expect(await dev.ended).toBe(0)
  expect(dev.stdout()).not.toMatch(/"level":[56]0/)
})
