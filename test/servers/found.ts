/** Where a suite's server comes from: the environment, else a container, else a program of this machine, else nowhere. */
import type { OwnServer } from './own.ts'

export interface Found<Address> {
  address: Address
  /** Ends it where it was started for the caller. */
  close(): Promise<void>
}

/** The first source that has one. A source that fails says why, and the next one is asked. */
export async function firstOf<Address>(
  name: string,
  sources: (() => Promise<Found<Address> | null>)[],
): Promise<Found<Address> | null> {
  for (const source of sources) {
    try {
      const found = await source()
      if (found) return found
    } catch (error) {
      console.warn(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return null
}

export function fromOwn<Address>(server: OwnServer, address: Address): Found<Address> {
  return { address, close: async () => await server[Symbol.asyncDispose]() }
}

export interface Container {
  image: string
  port: number
  env?: Record<string, string>
  command?: string[]
  /** A line that it tells once it serves, and how often until then. */
  ready: { line: RegExp; times: number }
}

/** Null where no Docker answers. */
export async function startContainer<Address>(
  { image, port, env = {}, command, ready }: Container,
  addressOf: (host: string) => Address,
): Promise<Found<Address> | null> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers')
  const isThere = await getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
  if (!isThere) return null
  const container = new GenericContainer(image)
    .withEnvironment(env)
    .withExposedPorts(port)
    .withWaitStrategy(Wait.forLogMessage(ready.line, ready.times))
  const started = await (command ? container.withCommand(command) : container).start()
  return {
    address: addressOf(`${started.getHost()}:${started.getMappedPort(port)}`),
    close: async () => void (await started.stop()),
  }
}

/** What a test file asks for at its top: one for the file, ended with it. Null: skip, by name. */
export function ofFile<Address>(find: () => Promise<Found<Address> | null>): () => Promise<Address | null> {
  let finding: Promise<Found<Address> | null> | undefined
  const closeWithFile = async (found: Found<Address> | null): Promise<Found<Address> | null> => {
    // Late: whoever is no test file may import this one for the rest of it.
    const { afterAll } = await import('vitest')
    afterAll(async () => {
      await found?.close()
    })
    return found
  }
  return async () => {
    finding ??= find().then(closeWithFile)
    return (await finding)?.address ?? null
  }
}
