// The least that answers 200: what a start is measured against.
import { enableCompileCache } from 'node:module'

enableCompileCache()
const { createServer } = await import('node:http')
const server = createServer((_request, response) => response.end('ok'))
server.listen(Number(process.env.SERVER_PORT), '127.0.0.1')
