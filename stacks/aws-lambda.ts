/** On AWS: tasks in MongoDB, messages in SQS, pictures in S3. */
import { sqsQueue } from '../runtime/drivers/queue/sqs.ts'
import { cloudStack, needed } from './cloud.ts'

export const openAwsLambda = cloudStack((config) =>
  sqsQueue({ url: needed(config, 'SQS_URL'), prefix: config.QUEUE_PREFIX }),
)
