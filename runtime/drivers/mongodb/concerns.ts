/** How sure a call is to be of what it did or read, and how long the server may take for it. */

/** Milliseconds that the server may spend on one command; less than a call may take in all. */
const COMMAND_MS = 1_500

/**
 * For what someone is told of. A majority has it, and on disk: without `journal` a standalone server loses what it
 * acknowledged in the last moments before it was killed.
 */
export const DURABLE = {
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: COMMAND_MS },
  maxTimeMS: COMMAND_MS,
} as const

/** For leases and progress: when they are lost, the work is done again. */
export const RELAXED = { writeConcern: { w: 1, journal: false }, maxTimeMS: COMMAND_MS } as const

/** The newest state that the primary has; a majority need not have it yet. */
export const READ = { readConcern: { level: 'local' }, maxTimeMS: COMMAND_MS } as const

/** What no change of the primary can take back. */
export const READ_MAJORITY = { readConcern: { level: 'majority' }, maxTimeMS: COMMAND_MS } as const
