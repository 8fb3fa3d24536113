/** Where a container's process begins: with the compile cache on before anything of size is imported. */
import module from 'node:module'
import { SECOND_MS } from '#shared/limits.ts'
import { letHeapGrow } from './heap.ts'

/** A container is ended by SIGKILL, and what it compiled would be lost with it: written once its start is over. */
const FLUSH_AFTER_MS = SECOND_MS

module.enableCompileCache()
letHeapGrow()
await import('./container-child.ts')
setTimeout(() => module.flushCompileCache(), FLUSH_AFTER_MS).unref()
