/**
 * The watchdog of a container where the kernel does not end it with its parent. A spinning main thread
 * hears nothing; this thread waits for the socket to end, which it does however the parent ends, and ends the process.
 */
import { readSync } from 'node:fs'

/** A socket whose other end the runtime holds; nothing is ever written to it. */
const WATCH_FD = 5

readSync(WATCH_FD, Buffer.alloc(1))
process.kill(process.pid, 'SIGKILL')
