/**
 * Apache's MD5 hash of a password ($apr1$), which Traefik's basicAuth takes, as
 * https://httpd.apache.org/docs/2.4/misc/password_encryptions.html has it. It is quick to compute and therefore for
 * random passwords only.
 */
import { createHash } from 'node:crypto'

const ROUNDS = 1_000
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** The order in which the digest's bytes become text, three at a time. */
const ORDER = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
]

const md5 = (...parts) => createHash('md5').update(Buffer.concat(parts)).digest()

/** `length` characters of six bits each, the lowest first. */
function spell(value, length) {
  return Array.from({ length }, (_, i) => ALPHABET[(value >>> (6 * i)) & 63]).join('')
}

function firstDigest(password, salt) {
  const both = md5(password, salt, password)
  const parts = [password, Buffer.from('$apr1$'), salt]
  for (let left = password.length; left > 0; left -= both.length) parts.push(both.subarray(0, left))
  // For each bit of the length: a zero byte for a one, the password's first byte for a zero.
  for (let bits = password.length; bits > 0; bits >>>= 1) parts.push(bits & 1 ? Buffer.of(0) : password.subarray(0, 1))
  return md5(...parts)
}

/** `salt`: up to eight characters of the alphabet `./0-9A-Za-z`. */
export function apr1(passwordText, saltText) {
  const [password, salt] = [Buffer.from(passwordText), Buffer.from(saltText)]
  let digest = firstDigest(password, salt)
  for (let round = 0; round < ROUNDS; round++) {
    const parts = round % 2 ? [password] : [digest]
    if (round % 3) parts.push(salt)
    if (round % 7) parts.push(password)
    parts.push(round % 2 ? digest : password)
    digest = md5(...parts)
  }
  const groups = ORDER.map(([a, b, c]) => spell((digest[a] << 16) | (digest[b] << 8) | digest[c], 4))
  return `$apr1$${saltText}$${groups.join('')}${spell(digest[11], 2)}`
}
