/** Where the image of a task comes from: what is known of it at first, and what is refused. */
import type { Bindings } from './bindings.ts'
import { Problem } from './errors.ts'
import type { Asked } from './options/options.ts'
import type { Received } from './picture/receive.ts'
import type { Source } from './task.ts'
import { MEDIA_TYPE, outputCost } from './variant.ts'

export const UNKNOWN_SOURCE: Source = {
  kind: 'url',
  filename: null,
  url: null,
  key: null,
  mediaType: null,
  bytes: null,
  width: null,
  height: null,
  frames: null,
  sha256: null,
}

export function refuseUrl(env: Bindings, url: string, what: string): void {
  const refusal = env.fetch.refusal(url)
  if (refusal !== null) throw new Problem('url-not-allowed', `${what}: ${refusal}`)
}

export function refuseCallback(env: Bindings, callbackUrl: string | null): void {
  if (callbackUrl === null) return
  const { callbacks, publicUrl } = env.settings
  if (!callbacks || publicUrl === undefined) {
    throw new Problem('callback-not-configured', 'callbackUrl needs WEBHOOK_SECRET and PUBLIC_URL on this server.')
  }
  refuseUrl(env, callbackUrl, 'callbackUrl')
}

/** Where the orientation is still unknown, the cheaper way round counts: what can be finished is not refused. */
export function refuseCost(
  env: Bindings,
  { options }: Asked,
  size: { width: number; height: number; upright: boolean },
): void {
  const { outputCostMax } = env.settings
  const { width, height } = size
  const cost = outputCost(options.variants, { width, height })
  const turned = size.upright ? cost : outputCost(options.variants, { width: height, height: width })
  if (Math.min(cost, turned) <= outputCostMax) return
  const detail = `The variants cost ${Math.min(cost, turned)} pixels (each of an AVIF counts 8), at most ${outputCostMax} are allowed.`
  throw new Problem('output-too-costly', detail)
}

export function uploadedSource({ key, format, bytes, sha256, header }: Received, filename: string | null): Source {
  const size = header?.upright ? { width: header.width, height: header.height } : { width: null, height: null }
  return { ...UNKNOWN_SOURCE, kind: 'upload', filename, key, mediaType: MEDIA_TYPE[format], bytes, sha256, ...size }
}
