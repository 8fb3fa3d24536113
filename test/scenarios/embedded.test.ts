import { embedded } from './embedded.ts'
import { scenarios } from './scenarios.ts'

for (const target of [embedded]) scenarios(target)
