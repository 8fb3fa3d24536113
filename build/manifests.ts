/** What a platform is told of the parts, made from the functions' configs alone. */
import type { FoundFunction } from '../runtime/loader.ts'
import { awsManifests } from './manifests/aws-lambda.ts'
import { azureFilesOf, azureManifests } from './manifests/azure.ts'
import { googleFiles, googleManifests } from './manifests/google-cloud.ts'
import { knativeFiles, knativeManifests } from './manifests/knative.ts'
import type { Cloud } from './entries.ts'
import type { Architecture } from './packages.ts'
import type { Part } from './parts.ts'

/** Texts by the name of their file. */
export type Files = Record<string, string>

interface Writer {
  /** Beside the parts. Throws for a config that the platform cannot follow, with the function's name. */
  manifestsOf: (functions: readonly FoundFunction[], architecture: Architecture) => Files
  /** Within a part's folder. */
  filesOf: (part: Part) => Files
}

export const MANIFESTS: Record<Cloud, Writer> = {
  'aws-lambda': { manifestsOf: awsManifests, filesOf: () => ({}) },
  'google-cloud': { manifestsOf: googleManifests, filesOf: googleFiles },
  azure: { manifestsOf: azureManifests, filesOf: azureFilesOf },
  knative: { manifestsOf: knativeManifests, filesOf: knativeFiles },
}
