/** The production stack: tasks in MongoDB; queue, cache, rate limit and notifications in Redis. */
import type { OpenStack } from '../bindings.ts'

export const openServers: OpenStack = () => Promise.reject(new Error('not opened yet'))
