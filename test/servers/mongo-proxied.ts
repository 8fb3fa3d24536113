/** A database of one's own behind a proxy, so that it can be taken away from one process or target alone. */
import { MongoClient } from 'mongodb'
import { mongoServer, ownDatabase } from './mongo.ts'
import { type Proxy, startProxy } from './proxy.ts'

export interface ProxiedDatabase extends AsyncDisposable {
  /** By way of the proxy. */
  uri: string
  proxy: Proxy
}

/** Only where `mongoServer` finds one. */
export async function proxiedDatabase(): Promise<ProxiedDatabase> {
  const direct = ownDatabase((await mongoServer())!)
  const url = new URL(direct)
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 27_017) })
  url.host = `127.0.0.1:${proxy.port}`
  // A member of a replica set would name the address that it has itself.
  url.searchParams.set('directConnection', 'true')
  return {
    uri: url.href,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await using client = new MongoClient(direct)
      await client.db().dropDatabase()
    },
  }
}
