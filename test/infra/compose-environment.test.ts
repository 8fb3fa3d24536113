/** A value in .env reaches the applications by the compose files, or it is said here why not. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../runtime/config.ts'
import { PROJECT } from '../project/command.ts'

const OF_CLOUDS =
  'AUTH PORT QUEUE_PREFIX SQS_URL GOOGLE_CLOUD_PROJECT PUBSUB_EMULATOR_HOST CLOUD_RUN_TIMEOUT_SECONDS ' +
  'AZURE_STORAGE_CONNECTION_STRING AZURE_HTTP_STREAM K_SINK K_CE_OVERRIDES SINKS'
const OF_NONE: Record<string, string> = {
  ...Object.fromEntries(OF_CLOUDS.split(' ').map((name) => [name, 'no cloud runs it'])),
  NODE_ENV: 'a container is production',
  SERVER_HOST: 'a container listens on all that it has',
  METRICS_PORT: 'Prometheus knows the port',
  FUNCTIONS: 'each service has its own, or all',
  STORAGE_INPUT_PATH: 'below what is mounted',
  STORAGE_OUTPUT_PATH: 'below what is mounted',
  LOG_SPOOL_PATH: 'below what is mounted',
  SQLITE_FILE: 'below what is mounted, or MongoDB instead',
}
const EXCEPTIONS: Record<string, Record<string, string>> = {
  'docker-compose.yml': {
    ...OF_NONE,
    SERVER_PORT: 'Traefik knows the port',
    OTEL_SERVICE_NAME: 'one for the API and one for the workers',
    RATE_LIMIT: 'every request comes from Traefik, which has limits of its own',
  },
  'compose.small.yml': {
    ...OF_NONE,
    MONGODB_URI: 'tasks are in SQLite',
    ...Object.fromEntries(
      ['URL', 'HOST', 'PORT', 'PASSWORD'].map((part) => [`REDIS_${part}`, 'the queue is in SQLite']),
    ),
  },
}

/** Each variable that config.ts asks an environment for. */
const asked = new Set<string>()
readConfig(new Proxy({}, { get: (_env, name) => void asked.add(String(name)) }))

test.each(Object.entries(EXCEPTIONS))('%s passes on every variable of the server but those', (file, exceptions) => {
  const text = readFileSync(join(PROJECT, file), 'utf8')
  const kept = [...asked].filter((name) => !text.includes(`\${${name}:`))
  expect(kept.toSorted()).toEqual(Object.keys(exceptions).toSorted())
})
