/** What a source file imports, in every way that a file can: read from its syntax, so that no spelling hides one. */
import { posix } from 'node:path'
import { type Expression, parseSync, Visitor } from 'oxc-parser'

export interface Import {
  /** A path from the project's root, `node:crypto`, or a package with its path; null where it is computed. */
  target: string | null
  /** Gone when types are stripped: nothing is loaded for it. */
  isType: boolean
  isDynamic: boolean
}

function targetOf(file: string, source: Expression | undefined): string | null {
  if (source?.type !== 'Literal' || typeof source.value !== 'string') return null
  const { value } = source
  if (value.startsWith('.')) return posix.join(posix.dirname(file), value)
  return value.replace(/^#shared\//, 'shared/')
}

/** `file` is its path from the project's root. Throws where the text is not what its name says. */
export function importsOf(file: string, text: string): Import[] {
  const { program, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]!.message}`)
  const imports: Import[] = []
  const add = (source: Expression | null | undefined, isType: boolean, isDynamic = false): void => {
    if (source !== null) imports.push({ target: targetOf(file, source), isType, isDynamic })
  }
  new Visitor({
    ImportDeclaration: (node) => add(node.source, node.importKind === 'type'),
    ExportNamedDeclaration: (node) => add(node.source, node.exportKind === 'type'),
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === 'type'),
    TSImportType: (node) => add(node.source, true),
    TSExternalModuleReference: (node) => add(node.expression, false),
    ImportExpression: (node) => add(node.source, false, true),
    CallExpression: ({ callee, arguments: [first] }) => {
      const isRequire = callee.type === 'Identifier' && callee.name === 'require'
      if (isRequire && first?.type !== 'SpreadElement') add(first, false)
    },
  }).visit(program)
  return imports
}
