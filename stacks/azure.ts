/** On Azure: tasks in MongoDB, messages in storage queues, pictures in a store that speaks S3. */
import { azureStorageQueue } from '../runtime/drivers/queue/azure-storage-queue.ts'
import { cloudStack, needed } from './cloud.ts'

export const openAzure = cloudStack((config) =>
  azureStorageQueue({ connection: needed(config, 'AZURE_STORAGE_CONNECTION_STRING'), prefix: config.QUEUE_PREFIX }),
)
