/** What a file or an object says that names the owner of those beside it. */
const TEXT = 'The id of the task store whose pictures these are. No other one collects them as garbage.\n'

export function ownerToText(id: string): string {
  return `${id}\n${TEXT}`
}

export function textToOwner(text: string): string {
  return text.split('\n', 1)[0]!
}
