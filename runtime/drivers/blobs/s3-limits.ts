import { MIB } from '#shared/limits.ts'

/** Bytes of one part. S3 takes none below 5 MiB but the last, and 10,000 at most: together 78 GiB. */
export const PART_BYTES = 8 * MIB
/** Connections at once: each open reader holds one. */
export const SOCKETS_MAX = 256
