import { createApp } from '#shared/http.ts'
import { PAGE_DEFAULT } from '#shared/limits.ts'
import { represent } from '#shared/representation.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { pageQuery, readFilters } from './filters.ts'
import { route } from './route.ts'

/** Not Hono's own list, which leaves out what has no name: nothing that is sent is to be passed over in silence. */
function parametersOf(url: string): Record<string, string[]> {
  const { searchParams } = new URL(url)
  return Object.fromEntries([...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name)]))
}

const app = createApp()

app.openapi(route, async (c) => {
  const { tasks, links, settings } = c.env
  const { status, code, limit, cursor } = c.req.valid('query')
  const filters = readFilters({ status, code }, parametersOf(c.req.url))
  const before = cursor === undefined ? {} : { before: readCursor(cursor, filters) }
  const size = limit ?? PAGE_DEFAULT
  // One more than is shown: whether it comes says whether there is a next page.
  const found = await tasks.list({ ...filters, ...before, limit: size + 1 })
  const page = found.slice(0, size)
  const last = found.length > size ? page.at(-1) : undefined
  const nextCursor = last ? writeCursor(last.id, filters) : null
  const items = await Promise.all(page.map((task) => represent(task, links)))
  c.header('Cache-Control', 'private, no-cache')
  if (nextCursor !== null) {
    c.header('Link', `<${settings.publicUrl ?? ''}/tasks?${pageQuery(filters, limit, nextCursor)}>; rel="next"`)
  }
  return c.json({ items, nextCursor }, 200)
})

export default app
