import type { Outside } from './outside.ts'
import type { Stack } from './stack.ts'

/** What the checks look at. */
export interface Place {
  stack: Stack
  outside: Outside
  /** 12 megapixels. */
  picture: Buffer
  /** A program that makes one request over HTTP/3 and prints its status line. */
  h3: string | undefined
}
