// The entry of every command. Plain JavaScript without imports of ours: it must run, and explain itself, on a Node that
// cannot run the rest.

/** `>=22.22.3 <23 || >=24.15`, as in package.json: what strips types without a flag and has a safe node:sqlite. */
function isSupported(version) {
  const [major, minor, patch] = version.split('.').map(Number)
  if (major === 22) return minor > 22 || (minor === 22 && patch >= 3)
  return major > 24 || (major === 24 && minor >= 15)
}

const COMMANDS = {
  start: './serve.ts',
  dev: './dev.ts',
  demo: './demo.ts',
  new: './new.ts',
  build: '../build/command.ts',
}
const command = process.argv[2] ?? 'start'

if (!isSupported(process.versions.node)) {
  console.error(`Revela needs Node 24.15 or newer (or 22.22.3 or newer of the 22 line); this is Node ${process.versions.node}.

Ways out:
  npm ci && npm start        brings a Node 24 of its own and runs with it
  nvm install 24             or fnm, volta, mise: a version manager
  docker run -it --network host -v "$PWD:/app" -w /app node:24-slim npm start`)
  process.exit(1)
}
if (!Object.hasOwn(COMMANDS, command)) {
  console.error(`Unknown command "${command}". Expected one of: ${Object.keys(COMMANDS).join(', ')}.`)
  process.exit(1)
}

const { enableCompileCache } = await import('node:module')
enableCompileCache()
const { run } = await import(COMMANDS[command])
await run(process.argv.slice(3))
