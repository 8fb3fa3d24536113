/** As much of PromQL as it takes to see which metrics and labels a query is about. */

export interface Use {
  metric: string
  /** Labels of its selector, with the values that it asks for; those of a pattern are its alternatives. */
  labels: Record<string, string[]>
}

export interface Query {
  uses: Use[]
  /** Labels that series are grouped or matched by. */
  by: string[]
}

const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset'])
const LISTS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
const TOKEN = /\s*(?:(?<name>[a-zA-Z_:][\w:]*)|(?<selector>\{[^}]*\})|(?<range>\[[^\]]*\])|(?<other>[^\s]))/gy
const MATCHER = /(\w+)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g

function labelsOf(selector: string): Record<string, string[]> {
  return Object.fromEntries([...selector.matchAll(MATCHER)].map(([, name, value]) => [name!, value!.split('|')]))
}

export function readPromQl(text: string): Query {
  const tokens = [...text.matchAll(TOKEN)].map(({ groups }) => groups!)
  const uses: Use[] = []
  const by: string[] = []
  for (let i = 0; i < tokens.length; i++) {
    const name = tokens[i]!['name']
    if (name === undefined || WORDS.has(name)) continue
    const next = tokens[i + 1]
    if (LISTS.has(name)) {
      for (i += 2; tokens[i] && tokens[i]!['other'] !== ')'; i++) if (tokens[i]!['name']) by.push(tokens[i]!['name']!)
    } else if (next?.['other'] !== '(' && !LISTS.has(next?.['name'] ?? '')) {
      uses.push({ metric: name, labels: labelsOf(next?.['selector'] ?? '') })
    }
  }
  return { uses, by }
}
