/** Faults of a request are gathered, so that its sender learns of all of them at once. */
import type { z } from '@hono/zod-openapi'
import { type FieldError, Problem } from '#shared/errors.ts'

const SHOWN_CHARS_MAX = 60

/** What came, short enough for an answer. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text
}

export type Path = ReadonlyArray<string | number>
/** Takes a fault at a place below the value that is being looked at. */
export type Report = (path: Path, detail: string) => void

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<string | number, unknown> | undefined)?.[key], value)
}

/** zod's issues with what came beside what was expected; each unknown member is a fault of its own. */
export function issuesOf(error: z.ZodError, value: unknown): Array<{ path: Path; detail: string }> {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? key.toString() : key))
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], detail: `Unknown member ${shown(key)}` }))
    }
    return [{ path, detail: `${issue.message}, got ${shown(valueAt(value, path))}` }]
  })
}

/** `json`: JSON pointers (RFC 6901) into the body. `text`: names of fields or parameters. */
export type Form = 'json' | 'text'

export interface Faults {
  /** Reports faults of one option. */
  at(option: string): Report
  add: Report
  /** Throws the 400 when there was any. */
  settle(): void
}

function pointerOf(path: Path, form: Form): string {
  if (form === 'text') return String(path[0] ?? '')
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

export function gatherFaults(form: Form): Faults {
  const errors: FieldError[] = []
  const add: Report = (path, detail) => void errors.push({ pointer: pointerOf(path, form), detail: `${detail}.` })
  return {
    add,
    at: (option) => (path, detail) => add([option, ...path], detail),
    settle() {
      if (errors.length === 0) return
      const detail = errors
        .map((error) => (error.pointer ? `${error.pointer}: ${error.detail}` : error.detail))
        .join(' ')
      throw new Problem('invalid-request', detail, { errors })
    },
  }
}

/** A 400 with one fault. */
export function invalid(pointer: string, detail: string, cause?: unknown): Problem {
  return new Problem('invalid-request', detail, { errors: [{ pointer, detail }], cause })
}
