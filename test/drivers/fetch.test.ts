import { undiciFetch } from '../../runtime/drivers/fetch/undici.ts'
import { describeGuardedFetch } from './fetch.ts'

describeGuardedFetch('undici', (options) => {
  const fetch = undiciFetch(options)
  return { ...fetch, [Symbol.asyncDispose]: () => fetch.close() }
})
