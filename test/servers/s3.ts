/**
 * S3 for tests: `TEST_S3_ENDPOINT` with `_REGION`, `_BUCKET`, `_ACCESS_KEY_ID`, `_SECRET_ACCESS_KEY`, else a program of
 * this machine: `TEST_VERSITYGW`, a path, else versitygw.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { firstOf, type Found, fromOwn, ofFile } from './found.ts'
import { type OwnServer, type Program, programOf, startOwn } from './own.ts'

export interface S3Address {
  endpoint: string
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
}

const OWN = { region: 'us-east-1', bucket: 'test', accessKeyId: 'test', secretAccessKey: 'test-secret' }

function versitygw(): Program | null {
  const path = programOf(process.env['TEST_VERSITYGW'] || 'versitygw')
  if (!path) return null
  return {
    command: (port, data) => {
      // A bucket is a folder.
      mkdirSync(join(data, 'buckets', OWN.bucket), { recursive: true })
      const address = ['--port', `127.0.0.1:${port}`]
      return [path, ...address, '--health', '/health', '--keep-alive', '--quiet', 'posix', join(data, 'buckets')]
    },
    env: { ROOT_ACCESS_KEY: OWN.accessKeyId, ROOT_SECRET_KEY: OWN.secretAccessKey },
    uri: (port) => `http://127.0.0.1:${port}`,
    answers: async (port) =>
      await fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
  }
}

/** A server that the caller may kill, and how to reach it; null where there is no program for it. */
export async function ownS3(): Promise<{ server: OwnServer; address: S3Address } | null> {
  const program = versitygw()
  if (!program) return null
  const server = await startOwn(program)
  return { server, address: { ...OWN, endpoint: server.uri } }
}

/** Whether `ownS3` gives one. */
export function hasOwnS3(): boolean {
  return versitygw() !== null
}

/** For a program that is no test file; what it gets it closes. */
export async function findS3(): Promise<Found<S3Address> | null> {
  return await firstOf('S3', [
    async () => {
      const named = (name: string): string => process.env[`TEST_S3_${name}`] ?? ''
      const endpoint = named('ENDPOINT')
      if (!endpoint) return null
      const keys = { accessKeyId: named('ACCESS_KEY_ID'), secretAccessKey: named('SECRET_ACCESS_KEY') }
      return {
        address: { endpoint, region: named('REGION'), bucket: named('BUCKET'), ...keys },
        close: async () => {},
      }
    },
    async () => {
      const own = await ownS3()
      return own && fromOwn(own.server, own.address)
    },
  ])
}

/** A bucket for this test file; null: there is none. Others use it too: take keys of your own. */
export const s3Server = ofFile(findS3)
