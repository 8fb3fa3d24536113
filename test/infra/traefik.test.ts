/** Traefik's routes: a template that is plain YAML as well, and agrees with the API that is behind it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { createCors } from '../../runtime/cors.ts'
import { PROJECT } from '../project/command.ts'

interface Routes {
  http: {
    routers: Record<
      string,
      { rule: string; entryPoints: string[]; middlewares?: string[]; tls: { certResolver: string } }
    >
    middlewares: Record<string, { headers?: Record<string, unknown>; rateLimit?: Record<string, unknown> }>
    serversTransports: Record<string, unknown>
  }
}

const text = readFileSync(join(PROJECT, 'infra/traefik/dynamic/routes.yml'), 'utf8')
const { http } = parse(text) as Routes

test('every router is https alone, and asks for certificates only where the domain is real', () => {
  for (const { entryPoints, tls } of Object.values(http.routers)) {
    expect([entryPoints, tls]).toEqual([['websecure'], { certResolver: '{{ $resolver }}' }])
  }
  expect(text).toContain('{{ $resolver := ternary "" "letsencrypt" (eq $domain "localhost") }}')
})

test('the API and the pictures have their limits', () => {
  const { 'api-limit': api, 'picture-limit': pictures } = http.middlewares
  expect(api!.rateLimit).toMatchObject({ average: 100, burst: 200, period: '1m' })
  expect(pictures!.rateLimit).toMatchObject({ average: 3_000, burst: 6_000, period: '1m' })
  expect(http.routers.api!.middlewares).toEqual(['cors', 'api-limit', 'retry'])
  expect(http.routers.pictures!.middlewares).toEqual(['cors', 'picture-limit', 'retry'])
  expect(http.routers.dashboard!.middlewares).toEqual(['dashboard-auth'])
})

test('what is asked for at the pictures is the pictures', () => {
  const [, pattern] = /PathRegexp\(`([^`]+)`\)/.exec(http.routers.pictures!.rule)!
  const paths = ['/tasks/1/variants/800x800', '/tasks/1/original', '/tasks/1', '/tasks', '/tasks/1/variants']
  expect(paths.filter((path) => new RegExp(pattern!).test(path))).toEqual(paths.slice(0, 2))
})

test('the security headers', () => {
  expect(http.middlewares.security!.headers).toEqual({
    stsSeconds: 31_536_000,
    contentTypeNosniff: true,
    browserXssFilter: true,
    frameDeny: true,
  })
})

test('cross-origin requests may send and read what the API itself would allow', () => {
  const { accessControlAllowHeaders: allowed, accessControlExposeHeaders: exposed } = http.middlewares.cors!.headers!
  const own = createCors({ CORS_ORIGINS: ['https://a.example'], NODE_ENV: 'production' })
  expect(own.headers('https://a.example', ['GET'])).toMatchObject({
    'Access-Control-Allow-Headers': (allowed as string[]).join(', '),
    'Access-Control-Expose-Headers': (exposed as string[]).join(', '),
  })
})

test('no connection to a replica is used twice', () => {
  expect(http.serversTransports).toEqual({ api: { maxIdleConnsPerHost: -1 } })
})
