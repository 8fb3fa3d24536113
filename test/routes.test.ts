/** What a function's config says of its routes is what its app answers and describes. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { FunctionConfig } from '#shared/function.ts'
import type { App } from '#shared/http.ts'
import { describeApp } from '../console/describe.ts'

const FUNCTIONS = new URL('../functions/', import.meta.url)
const names = (await readdir(fileURLToPath(FUNCTIONS))).sort()

async function defaultOf<T>(name: string, file: string): Promise<T> {
  return ((await import(new URL(`${name}/${file}`, FUNCTIONS).href)) as { default: T }).default
}

test.each(names)('%s', async (name) => {
  const { trigger } = await defaultOf<FunctionConfig>(name, 'config.ts')
  const { routes, paths } = describeApp(await defaultOf<App>(name, 'index.ts'))
  const answered = routes.map((route) => route.replaceAll(/:(\w+)(\{.+?\})?/g, '{$1}')).sort()
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  // What a queue or a timer starts is no part of the API.
  const expected = trigger.type === 'http' ? [...trigger.routes].sort() : []
  expect({ answered, described: described.sort() }).toEqual({
    answered: trigger.type === 'http' ? expected : ['POST /'],
    described: expected,
  })
})
