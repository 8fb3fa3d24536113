/** Reads server-sent events (WHATWG HTML §9.2) as far as the API uses them. */
import type { TaskRepresentation } from '#shared/representation.ts'

export interface ServerEvent {
  event: string | null
  id: string | null
  data: TaskRepresentation | null
  comment: boolean
}

function parse(block: string): ServerEvent {
  const lines = block.split('\n')
  const field = (name: string): string | null =>
    lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null
  const data = field('data')
  return {
    event: field('event'),
    id: field('id'),
    data: data === null ? null : (JSON.parse(data) as TaskRepresentation),
    comment: block.startsWith(':'),
  }
}

/** Every event until the stream ends. Leaving it early closes the connection. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent, void> {
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n')
    text = blocks.pop()!
    for (const block of blocks) if (!block.startsWith('retry:')) yield parse(block)
  }
}
