/** Events as a client of the stream reads them. */

export interface StreamEvent {
  event?: string
  id?: string
  data?: string
  retry?: string
}

function parse(block: string): StreamEvent {
  const fields = block.split('\n').map((line) => /^(\w+): (.*)$/.exec(line))
  return Object.fromEntries(fields.flatMap((field) => (field ? [[field[1], field[2]]] : [])))
}

/** Reads one block after the other, as EventSource does. */
export function reading(response: Response) {
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  return {
    reader,
    block: async (): Promise<string | null> => {
      const { value, done } = await reader.read()
      return done ? null : decoder.decode(value)
    },
    event: async (): Promise<StreamEvent | null> => {
      const { value, done } = await reader.read()
      return done ? null : parse(decoder.decode(value))
    },
  }
}

/** All that is left of them. */
export const rest = async (response: Response): Promise<StreamEvent[]> =>
  (await response.text()).split('\n\n').filter(Boolean).map(parse)
