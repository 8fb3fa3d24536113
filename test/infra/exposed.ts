/** What the applications expose, from scrapes of runtimes that have worked. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { makePicture } from '../../cli/picture.ts'
import { temporaryFolder } from '../drain/serving.ts'
import { PROJECT } from '../project/command.ts'
import { startTestRuntime, type TestRuntime } from '../runtime/runtime.ts'
import { until } from '../runtime/until.ts'

export interface Exposed {
  type: string
  /** Label names, and the values that were seen. */
  labels: Map<string, Set<string>>
}

/** The text format of Prometheus: prometheus.io/docs/instrumenting/exposition_formats. */
export function readExposition(text: string): Map<string, Exposed> {
  const metrics = new Map<string, Exposed>()
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\w+)$/gm))
    metrics.set(name!, { type: type!, labels: new Map() })
  for (const [, sample, labels = ''] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/gm)) {
    const metric = metrics.get(sample!) ?? metrics.get(sample!.replace(/_(bucket|sum|count)$/, ''))
    for (const [, name, value] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      const values = metric?.labels.get(name!) ?? new Set()
      metric?.labels.set(name!, values.add(value!))
    }
  }
  return metrics
}

/** Names of a metric's series. */
export function seriesOf(name: string, type: string): string[] {
  return type === 'histogram' || type === 'summary' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]
}

async function post(runtime: TestRuntime, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const headers = { 'content-type': 'image/jpeg' }
  const { id } = (await (await runtime.fetch('/tasks', { method: 'POST', body, headers })).json()) as { id: string }
  return id
}

/** All functions of the project, after one good and one bad picture, with Loki and an OTLP receiver named. */
export async function exposedByAll(): Promise<Map<string, Exposed>> {
  const functionsFolder = join(PROJECT, 'functions')
  const away = { LOKI_URL: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
  const names = await readdir(functionsFolder)
  await using folder = await temporaryFolder()
  const logs = { LOG_SPOOL_PATH: join(folder.path, 'logs') }
  await using runtime = await startTestRuntime({ names, functionsFolder, env: { ...away, ...logs } })
  const picture = await makePicture()
  const whole = await post(runtime, new Uint8Array(picture))
  const torn = await post(runtime, new Uint8Array(picture.subarray(0, 2_000)))
  for (const id of [whole, torn]) {
    await until('an end', async () => {
      const { status } = (await (await runtime.fetch(`/tasks/${id}`)).json()) as { status: string }
      return status === 'completed' || status === 'failed'
    })
  }
  return readExposition(await (await runtime.fetch('/metrics')).text())
}
