/** On Google Cloud: tasks in MongoDB, messages in Pub/Sub, pictures in a store that speaks S3. */
import { pubsubQueue } from '../runtime/drivers/queue/pubsub.ts'
import { cloudStack } from './cloud.ts'

export const openGoogleCloud = cloudStack(
  ({ GOOGLE_CLOUD_PROJECT: project, QUEUE_PREFIX: prefix, PUBSUB_EMULATOR_HOST: emulator }) =>
    pubsubQueue({ project, prefix, ...(emulator ? { endpoint: `http://${emulator}`, emulator: true } : {}) }),
)
