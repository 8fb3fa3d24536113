/**
 * `npm run smoke -- --compose`: builds and starts the whole stack beside whatever runs here, looks at everything that it
 * promises, kills and replaces parts of it at work, and takes it down again. `--image`: the image by itself.
 * `--h3 PROGRAM`: a program that makes one request over HTTP/3. `--keep`: the stack stays, and how to reach it is said.
 */
import { parseArgs } from 'node:util'
import { makePicture } from '../../cli/picture.ts'
import { checkEdge, checkLimits } from './edge.ts'
import { checkImage } from './image.ts'
import { openOutside } from './outside.ts'
import { openReport, type Report } from './report.ts'
import { openStack } from './stack.ts'
import { checkStart } from './start.ts'
import { checkWatch } from './watch.ts'
import { checkOnePicture, checkWork } from './work.ts'

const { values } = parseArgs({
  options: {
    compose: { type: 'boolean', default: false },
    image: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    h3: { type: 'string' },
  },
})

async function checkStack(report: Report, picture: Buffer): Promise<void> {
  const stack = await openStack()
  try {
    if (!(await checkStart(report, stack))) {
      console.log(await stack.compose(['logs', '--tail', '20']))
      return
    }
    await using outside = await openOutside(stack)
    const place = { stack, outside, picture, h3: values.h3 }
    await checkEdge(report, place)
    const taskId = await checkOnePicture(report, place)
    if (taskId !== null) await checkWatch(report, place, taskId)
    await checkWork(report, place)
    await checkLimits(report, place)
  } finally {
    if (values.keep) console.log(`Kept: COMPOSE_PROJECT_NAME=revela-smoke, secrets and storage in ${stack.folder}`)
    else await stack[Symbol.asyncDispose]()
  }
}

if (!values.compose && !values.image) throw new Error('expected --compose, --image or both')
const report = openReport((line) => console.log(line))
const picture = await makePicture()
if (values.image) await checkImage(report, picture)
if (values.compose) await checkStack(report, picture)
console.log(`\n${report.table()}`)
process.exitCode = report.failed() > 0 ? 1 : 0
