/** What Prometheus' own tool says of its config, of the alert rules, and of the dashboards' queries. */
import { accessSync, constants, globSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { temporaryFolder } from '../drain/serving.ts'
import { program, PROJECT } from '../project/command.ts'

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** PROMTOOL, else the first in PATH. */
const promtool = [
  process.env.PROMTOOL ?? '',
  ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'promtool')),
].find((file) => file !== '' && canRun(file))

async function says(...args: string[]): Promise<{ status: unknown; told: string }> {
  await using ran = program(promtool ?? '', args, { cwd: join(PROJECT, 'infra/prometheus') })
  return { status: await ran.ended, told: ran.stdout() + ran.stderr() }
}

function queries(): string[] {
  const files = globSync('infra/grafana/dashboards/*.json', { cwd: PROJECT })
  return files.flatMap((file) => {
    const { panels } = JSON.parse(readFileSync(join(PROJECT, file), 'utf8')) as {
      panels: { targets?: { expr: string; datasource: { uid: string } }[] }[]
    }
    const targets = panels.flatMap(({ targets: of = [] }) => of)
    return targets.filter(({ datasource }) => datasource.uid === 'prometheus').map(({ expr }) => expr)
  })
}

describe.skipIf(promtool === undefined)('promtool', () => {
  test('takes the config', async () => {
    const { status, told } = await says('check', 'config', '--syntax-only', 'prometheus.yml')
    expect(told).not.toContain('FAILED')
    expect(status).toBe(0)
  })

  test('takes the rules', async () => {
    const { status, told } = await says(
      'check',
      'rules',
      ...globSync('rules/*.yml', { cwd: join(PROJECT, 'infra/prometheus') }),
    )
    expect(told).toMatch(/SUCCESS: \d+ rules found/)
    expect(status).toBe(0)
  })

  test.each(globSync('tests/*.yml', { cwd: join(PROJECT, 'infra/prometheus') }))(
    'sees alerts come, and stay away: %s',
    async (file) => {
      const { status, told } = await says('test', 'rules', file)
      expect(told).toContain('SUCCESS')
      expect(status).toBe(0)
    },
  )

  test('can read every query of the dashboards', async () => {
    await using folder = await temporaryFolder()
    const rules = queries().map((expr, i) => ({
      record: `query_${i}`,
      expr: expr.replaceAll('$__rate_interval', '1m'),
    }))
    expect(rules.length).toBeGreaterThan(50)
    const file = join(folder.path, 'queries.yml')
    await writeFile(file, stringify({ groups: [{ name: 'dashboards', rules }] }))
    const { status, told } = await says('check', 'rules', file)
    expect(told).toContain(`SUCCESS: ${rules.length} rules found`)
    expect(status).toBe(0)
  })
})
