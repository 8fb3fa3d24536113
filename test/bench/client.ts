/** Requests of the bench itself, where one at a time is enough. */
import { readFile } from 'node:fs/promises'
import type { PictureFile } from './pictures.ts'

export interface SentTask {
  id: string
  status: string
  error: { code: string; message: string } | null
}

async function taskOf(response: Response, status: number): Promise<SentTask> {
  if (response.status !== status) throw new Error(`${response.status}, expected ${status}: ${await response.text()}`)
  return (await response.json()) as SentTask
}

/** Sends a picture; resolves when its answer is there, 202. */
export async function send(url: string, bytes: Buffer, type: string): Promise<SentTask> {
  const body = new Uint8Array(bytes)
  return await taskOf(await fetch(`${url}/tasks`, { method: 'POST', body, headers: { 'content-type': type } }), 202)
}

/** Resolves when the task has completed. */
export async function whenCompleted(url: string, { id }: SentTask): Promise<void> {
  for (;;) {
    const task = await taskOf(await fetch(`${url}/tasks/${id}`, { headers: { prefer: 'wait=30' } }), 200)
    if (task.status === 'completed') return
    if (task.status === 'failed') throw new Error(`${task.error?.code}: ${task.error?.message}`)
  }
}

export async function sendAndWait(url: string, { file, type }: PictureFile): Promise<void> {
  await whenCompleted(url, await send(url, await readFile(file), type))
}

/** A sample of /metrics; 0 while there is none. */
export async function metric(url: string, sample: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `))
  return Number(line?.slice(sample.length) ?? 0)
}
