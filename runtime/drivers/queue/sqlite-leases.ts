/** The queue's statements: messages, their leases and dead letters. Every write of a lease is conditional on its token. */
import { DEAD_LETTERS_KEPT, type DeadLetter, deadQueueOf, type QueueStats } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import type { SqliteFile } from '../sqlite/file.ts'
import { keptStatements } from '../sqlite/statements.ts'

/** A message that was taken. */
export interface Lease {
  seq: number
  /** Of this one delivery: a message that another has taken since does not match it. */
  token: string
  message: Message
  failures: number
}

/** Writes wait while another process writes; what depends on the time or on what runs is asked for when they happen. */
export interface Leases {
  take(queue: string, free: () => number, newToken: () => string, leaseMs: number): Promise<Lease[]>
  renew(leases: () => Iterable<Lease>, leaseMs: number): Promise<void>
  finish(lease: Lease): Promise<void>
  /** Gives it back, to be taken at `readyAt`. */
  release(lease: Lease, failures: number, readyAt: number): Promise<void>
  /** False, and nothing written, when another has the message. */
  bury(lease: Lease, letter: DeadLetter): Promise<boolean>
  /** The next time at which a message becomes ready or a lease ends; null when there is none. */
  nextReadyAt(queue: string): number | null
}

const READY = 'queue = ? AND ready_at <= ?'

function leaseOf(row: Record<string, unknown>, token: string): Lease {
  return {
    seq: Number(row['seq']),
    token,
    message: JSON.parse(String(row['message'])) as Message,
    failures: Number(row['failures']),
  }
}

export function sqliteLeases(file: SqliteFile): Leases {
  const relaxed = keptStatements(file.relaxed)
  const durable = keptStatements(file.durable)

  function copyToDead(letter: DeadLetter): void {
    const queue = deadQueueOf(letter.message.queue)
    durable('INSERT INTO dead_letters (queue, letter) VALUES (?, ?)').run(queue, JSON.stringify(letter))
    durable(
      `DELETE FROM dead_letters WHERE queue = ?1 AND seq <=
         (SELECT seq FROM dead_letters WHERE queue = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
    ).run(queue, DEAD_LETTERS_KEPT)
  }

  return {
    take: (queue, free, newToken, leaseMs) =>
      file.write(() => {
        const now = Date.now()
        const ready = `SELECT seq, message, failures FROM queue_messages WHERE ${READY} ORDER BY ready_at, seq LIMIT ?`
        const rows = relaxed(ready).all(queue, now, free())
        return rows.map((row) => {
          const lease = leaseOf(row, newToken())
          const text = 'UPDATE queue_messages SET lease = ?, ready_at = ? WHERE seq = ?'
          relaxed(text).run(lease.token, now + leaseMs, lease.seq)
          return lease
        })
      }),
    renew: (leases, leaseMs) =>
      file.write(() => {
        const until = Date.now() + leaseMs
        const renewal = relaxed('UPDATE queue_messages SET ready_at = ? WHERE seq = ? AND lease = ?')
        for (const { seq, token } of leases()) renewal.run(until, seq, token)
      }),
    finish: ({ seq, token }) =>
      file.write(() => {
        relaxed('DELETE FROM queue_messages WHERE seq = ? AND lease = ?').run(seq, token)
      }),
    release: ({ seq, token }, failures, readyAt) =>
      file.write(() => {
        const text = 'UPDATE queue_messages SET lease = NULL, failures = ?, ready_at = ? WHERE seq = ? AND lease = ?'
        relaxed(text).run(failures, readyAt, seq, token)
      }),
    bury: (lease, letter) =>
      file.commit(() => {
        const text = 'DELETE FROM queue_messages WHERE seq = ? AND lease = ?'
        const isOurs = durable(text).run(lease.seq, lease.token).changes === 1
        if (isOurs) copyToDead(letter)
        return isOurs
      }),
    nextReadyAt: (queue) => {
      const text = 'SELECT ready_at FROM queue_messages WHERE queue = ? ORDER BY ready_at LIMIT 1'
      const row = relaxed(text).get(queue)
      return row ? Number(row['ready_at']) : null
    },
  }
}

export interface Mailbox {
  /** Within a transaction of the durable connection. False when a message of this id waits or runs. */
  insert(message: Message): boolean
  remove(queue: string, id: string): Promise<void>
  stats(queue: string): QueueStats
  deadLetters(queue: string, limit: number): DeadLetter[]
}

export function sqliteMailbox(file: SqliteFile): Mailbox {
  const relaxed = keptStatements(file.relaxed)
  const durable = keptStatements(file.durable)
  return {
    insert: (message) => {
      const text = `INSERT INTO queue_messages (queue, id, message, sent_at, ready_at) VALUES (?1, ?2, ?3, ?4, ?4)
        ON CONFLICT DO NOTHING`
      return durable(text).run(message.queue, message.id, JSON.stringify(message), Date.now()).changes === 1
    },
    remove: (queue, id) =>
      file.write(() => {
        const text = 'DELETE FROM queue_messages WHERE queue = ? AND id = ? AND (lease IS NULL OR ready_at <= ?)'
        relaxed(text).run(queue, id, Date.now())
      }),
    stats: (queue) => {
      const now = Date.now()
      const ready = relaxed(`SELECT count(*) AS n, min(sent_at) AS oldest FROM queue_messages WHERE ${READY}`)
      const later = relaxed(
        `SELECT count(lease) AS active, count(*) - count(lease) AS delayed FROM queue_messages
         WHERE queue = ? AND ready_at > ?`,
      )
      const dead = relaxed('SELECT count(*) AS n FROM dead_letters WHERE queue = ?')
      const { n, oldest } = ready.get(queue, now) ?? {}
      const { active, delayed } = later.get(queue, now) ?? {}
      return {
        waiting: Number(n),
        active: Number(active),
        delayed: Number(delayed),
        dead: Number(dead.get(deadQueueOf(queue))?.['n']),
        oldestMs: oldest === null ? 0 : Math.max(0, now - Number(oldest)),
      }
    },
    deadLetters: (queue, limit) =>
      relaxed('SELECT letter FROM dead_letters WHERE queue = ? ORDER BY seq DESC LIMIT ?')
        .all(deadQueueOf(queue), limit)
        .map((row) => JSON.parse(String(row['letter'])) as DeadLetter),
  }
}
