/** What every blob store does, whichever driver it is. */
import { describe } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { naming } from './blobs/keys.ts'
import { owning } from './blobs/owners.ts'
import { presigning, presigningNothing } from './blobs/presign.ts'
import { aborting, putting } from './blobs/put.ts'
import { copying, reading } from './blobs/read.ts'
import { deleting, listing, tidying } from './blobs/remove.ts'

export interface OpenBlobStore extends AsyncDisposable {
  blobs: BlobStore
}

/** `open` gives an empty store of its own at each call. `presigns`: it lets others write into it by a signed URL. */
export function describeBlobStore(name: string, open: () => Promise<OpenBlobStore>, presigns = false): void {
  describe(`blob store: ${name}`, () => {
    putting(open)
    aborting(open)
    reading(open)
    copying(open)
    deleting(open)
    tidying(open)
    listing(open)
    owning(open)
    naming(open)
    if (presigns) presigning(open)
    else presigningNothing(open)
  })
}
