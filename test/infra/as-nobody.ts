/** `node as-nobody.ts FOLDER`: starts on storage in FOLDER as a user who is not root, and tells what a start tells. */
import { readConfig } from '../../runtime/config.ts'
import { CommandError } from '../../cli/report.ts'
import { checkWritable } from '../../cli/writable.ts'

const NOBODY = 65_534
const [, , folder, ...stack] = process.argv

// Everything is loaded: from here on it needs to read no file of the project, which may be root's.
if (process.getuid!() === 0) {
  process.setgroups!([])
  process.setgid!(NOBODY)
  process.setuid!(NOBODY)
}
const storage = {
  STORAGE_INPUT_PATH: `${folder}/images/input`,
  STORAGE_OUTPUT_PATH: `${folder}/images/output`,
  SQLITE_FILE: `${folder}/tasks.sqlite`,
}
try {
  checkWritable(
    readConfig({ ...storage, ...Object.fromEntries(stack.map((pair) => pair.split('=') as [string, string])) }),
  )
  console.log('writable')
} catch (error) {
  if (!(error instanceof CommandError)) throw error
  console.log(error.message.replaceAll(`${process.getuid!()}:${process.getgid!()}`, 'US'))
}
