/** /docs: Swagger UI from node_modules, never from a CDN; /problems/{code}: what a problem means. */
import { createReadStream } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { PROBLEMS } from '#shared/errors.ts'

const ASSETS: Record<string, string> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

const START = `window.ui = SwaggerUIBundle({ url: '../openapi.json', dom_id: '#swagger-ui', deepLinking: true, tryItOutEnabled: true, displayRequestDuration: true, persistAuthorization: false, validatorUrl: null })`

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Revela API</title>
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`

// Swagger UI writes style attributes and data: images; scripts come from here alone.
const CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"

const page = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': CSP, 'Cache-Control': 'no-cache' }

export function docsPage(): Response {
  return new Response(PAGE, { headers: page })
}

/** Null for a name that is no asset of the page: nothing else of the package can be asked for. */
export function docsAsset(name: string): Response | null {
  if (name === 'start.js')
    return new Response(START, {
      headers: { 'Content-Type': 'text/javascript; charset=utf-8', 'Cache-Control': 'no-cache' },
    })
  if (!Object.hasOwn(ASSETS, name)) return null
  const type = ASSETS[name]!
  const folder = join(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'), '..')
  const body = Readable.toWeb(createReadStream(join(folder, name))) as ReadableStream<Uint8Array>
  return new Response(body, { headers: { 'Content-Type': type, 'Cache-Control': 'public, max-age=86400' } })
}

export function problemPage(code: string): Response | null {
  if (!Object.hasOwn(PROBLEMS, code)) return null
  const { status, title, about } = PROBLEMS[code as keyof typeof PROBLEMS]
  const text = about
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/`([^`]+)`/g, '<code>$1</code>')
  const html = `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem"><h1>${title}</h1><p><code>${code}</code>, status ${status}</p><p>${text}</p></body></html>\n`
  return new Response(html, { headers: page })
}
