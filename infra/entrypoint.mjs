/**
 * What the image runs: `npm start`, or another command of it by its name. A server without a key answers this machine
 * alone, and in a container that is nobody: where API_KEY is not set, one is made, shown once, and kept in storage/, so
 * that the next start has the same.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const KEY_FILE = 'storage/.api-key'
const KEY_BYTES = 24

/** Link, never overwrite: of two containers that start at once on one volume both get the first one's key. */
function makeKey() {
  const key = randomBytes(KEY_BYTES).toString('base64url')
  const temp = `${KEY_FILE}.${process.pid}-${randomBytes(4).toString('hex')}`
  writeFileSync(temp, `${key}\n`, { mode: 0o600 })
  try {
    linkSync(temp, KEY_FILE)
    console.error(`API_KEY is not set: made one. It is shown this once, and kept in ${KEY_FILE}.\n\n    ${key}\n`)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  } finally {
    rmSync(temp)
  }
}

function keptKey() {
  try {
    return readFileSync(KEY_FILE, 'utf8').trim()
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return null
  }
}

async function setKey() {
  if (process.env.API_KEY?.trim()) return
  try {
    if (keptKey() === null) makeKey()
    else console.error(`API_KEY is not set: the one in ${KEY_FILE} is used.`)
    process.env.API_KEY = keptKey()
  } catch (error) {
    const { refusalOf } = await import('../cli/writable.ts')
    console.error(`API_KEY is not set, and none can be kept in ${KEY_FILE}.\n${refusalOf('storage') ?? error.message}`)
    process.exit(1)
  }
}

const command = (process.argv[2] ??= 'start')
if (command === 'start') await setKey()
await import('../cli/start.mjs')
