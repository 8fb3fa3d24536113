/** What AWS is told to allow is what the drivers ask for: of a right that is missing it would tell only in production. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { MANIFESTS } from './manifests.ts'
import { functionsIn } from './parts.ts'
import { PROJECT } from './project.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html, and the same of SQS. */
const RIGHTS: Record<string, string[]> = {
  GetObject: ['s3:GetObject'],
  HeadObject: ['s3:GetObject'],
  PutObject: ['s3:PutObject'],
  CopyObject: ['s3:GetObject', 's3:PutObject'],
  CreateMultipartUpload: ['s3:PutObject'],
  UploadPart: ['s3:PutObject'],
  CompleteMultipartUpload: ['s3:PutObject'],
  AbortMultipartUpload: ['s3:AbortMultipartUpload'],
  ListParts: ['s3:ListMultipartUploadParts'],
  DeleteObject: ['s3:DeleteObject'],
  DeleteObjects: ['s3:DeleteObject'],
  ListObjectsV2: ['s3:ListBucket'],
  ListMultipartUploads: ['s3:ListBucketMultipartUploads'],
  SendMessage: ['sqs:SendMessage'],
  GetQueueAttributes: ['sqs:GetQueueAttributes'],
  ChangeMessageVisibility: ['sqs:ChangeMessageVisibility'],
  // Dead letters are read by operators, never by a function.
  ReceiveMessage: [],
}

function commandsIn(pattern: string): string[] {
  const texts = globSync(pattern, { cwd: PROJECT, exclude: ['**/*.test.ts'] }).map((file) =>
    readFileSync(join(PROJECT, file), 'utf8'),
  )
  return [...new Set(texts.flatMap((text) => [...text.matchAll(/new (\w+)Command\(/g)].map(([, name]) => name!)))]
}

interface Lambda {
  Type: string
  Properties: { Policies: { Statement: { Action: string[] }[] }[] }
}

test('a function that takes from a queue may do all that the drivers do, and nothing else', async () => {
  const functions = await functionsIn(join(PROJECT, 'functions'))
  const template = parse(MANIFESTS['aws-lambda'].manifestsOf(functions, 'x64')['template.yaml']!) as {
    Resources: Record<string, Lambda>
  }
  const { Policies } = template.Resources['ProcessImageFunction']!.Properties
  const allowed = Policies.flatMap(({ Statement }) => Statement.flatMap(({ Action }) => Action))
  const asked = ['runtime/drivers/blobs/s3*.ts', 'runtime/drivers/queue/sqs.ts'].flatMap(commandsIn)
  expect(asked.length).toBeGreaterThan(10)
  expect(Object.keys(RIGHTS)).toEqual(expect.arrayContaining(asked))
  expect(allowed.toSorted()).toEqual([...new Set(asked.flatMap((command) => RIGHTS[command]!))].toSorted())
})
