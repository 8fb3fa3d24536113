/** On Knative: tasks in MongoDB, messages as CloudEvents to a broker or to sinks, pictures in S3. */
import { cloudEventsQueue } from '../runtime/drivers/queue/cloudevents-http.ts'
import { cloudStack } from './cloud.ts'

export const openKnative = cloudStack(({ K_SINK: sink, SINKS: sinks, K_CE_OVERRIDES: extensions }) =>
  cloudEventsQueue({ sink, sinks, extensions }),
)
