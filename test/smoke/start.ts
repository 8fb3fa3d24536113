/** From the files to a stack in which everything is healthy. */
import { expectThat, type Report } from './report.ts'
import type { Stack } from './stack.ts'

const SECRETS = [
  'API_KEY',
  'TRAEFIK_AUTH',
  'MONGO_ROOT_PASSWORD',
  'MONGO_APP_PASSWORD',
  'REDIS_PASSWORD',
  'GRAFANA_PASSWORD',
]
export const SERVICES: Record<string, number> = {
  traefik: 1,
  'api-backend': 2,
  worker: 3,
  mongodb: 1,
  redis: 1,
  prometheus: 1,
  loki: 1,
  grafana: 1,
}

async function config({ compose }: Stack): Promise<string> {
  await compose(['config', '--quiet'])
  for (const name of SECRETS) {
    const refusal = await compose(['config', '--quiet'], { [name]: '' }).then(
      () => 'nothing',
      (error: Error) => error.message,
    )
    expectThat(refusal.includes(`required variable ${name} is missing`), `${name} to be asked for`, refusal)
  }
  return `clean; stops without ${SECRETS.join(', ')}`
}

async function up(stack: Stack): Promise<string> {
  await stack.compose(['up', '--detach', '--build', '--wait', '--quiet-pull'])
  const containers = await stack.containers()
  for (const [service, count] of Object.entries(SERVICES)) {
    const own = containers.filter(({ Service }) => Service === service)
    const healthy = own.every(({ State, Health }) => State === 'running' && Health === 'healthy')
    expectThat(own.length === count && healthy, `${count} of ${service}, healthy`, own)
  }
  return `${containers.length} containers healthy: ${[...new Set(containers.map(({ Image }) => Image))].join(', ')}`
}

/** False where it makes no sense to go on. */
export async function checkStart({ check }: Report, stack: Stack): Promise<boolean> {
  await check('compose config, missing secrets', async () => await config(stack))
  return await check('up --build --wait', async () => await up(stack))
}
