/** An invocation that ended, as a span: ids and parent from its traceparent, attributes by OpenTelemetry's conventions. */
import type { Attributes, HrTime, SpanContext } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace'
import type { EndedInvocation } from '../console/metrics.ts'
import { pathOf } from '../runtime/invoke.ts'

/** SpanKind and SpanStatusCode of the API, whose enums are not imported: the package is there only where it is wanted. */
const INTERNAL = 0
const SERVER = 1
const CONSUMER = 4
const UNSET = 0
const ERROR = 2

const SAMPLED = 1

/** https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/#function-trigger-type */
const TRIGGERS = { http: 'http', queue: 'pubsub', timer: 'timer' } as const
const KINDS = { http: SERVER, queue: CONSUMER, timer: INTERNAL } as const

function contextOf(traceparent: string, isRemote = false): SpanContext {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote }
}

/** A caller that does not want this trace recorded says so in its flags. */
export function isSampled(traceparent: string): boolean {
  return (contextOf(traceparent).traceFlags & SAMPLED) !== 0
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000)
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)]
}

/** A header that is no traceparent began a new trace, so it is no parent either. */
function parentOf(own: SpanContext, parent: string | null | undefined): SpanContext | undefined {
  const given = contextOf(parent ?? '', true)
  return given.traceId === own.traceId && given.spanId !== own.spanId ? given : undefined
}

/** The one route that the path fits; ids are no part of a name that traces are grouped by. */
function routeOf(routes: readonly string[], method: string, path: string): string | undefined {
  const isOf = (route: string): boolean => {
    const [verb, template = ''] = route.split(' ')
    const pattern = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')
    return verb === (method === 'HEAD' ? 'GET' : method) && new RegExp(`^${pattern}$`).test(path)
  }
  return routes.find(isOf)?.split(' ')[1]
}

function requestAttributes({ fn, request, status }: EndedInvocation): Attributes {
  const { trigger } = fn.config
  const { method, headers } = request
  if (trigger.type === 'http') {
    const path = pathOf(request.url)
    const route = routeOf(trigger.routes, method, path)
    return {
      'http.request.method': method,
      'http.response.status_code': status,
      // Never the query: a link's signature stands there.
      'url.path': path,
      'url.scheme': request.url.slice(0, request.url.indexOf(':')),
      ...(route === undefined ? {} : { 'http.route': route }),
    }
  }
  const event = {
    'cloudevents.event_id': headers.get('ce-id') ?? '',
    'cloudevents.event_type': headers.get('ce-type') ?? '',
    'cloudevents.event_source': headers.get('ce-source') ?? '',
    'revela.status': status,
  }
  if (trigger.type === 'timer') {
    const { cron } = trigger
    return { ...event, 'faas.time': headers.get('ce-time') ?? '', ...(cron === undefined ? {} : { 'faas.cron': cron }) }
  }
  return {
    ...event,
    'messaging.operation.type': 'process',
    'messaging.operation.name': 'process',
    'messaging.destination.name': trigger.queue,
    'messaging.message.id': headers.get('ce-id') ?? '',
    'revela.attempt': Number(headers.get('ce-attempt') ?? 1),
  }
}

/** A client's mistake is no fault of the server; of a message or a tick nobody else could be to blame. */
function isError({ fn, status }: EndedInvocation): boolean {
  return fn.config.trigger.type === 'http' ? status >= 500 : status < 200 || status > 299
}

/** https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/ */
function exceptionOf(err: unknown, time: HrTime): TimedEvent[] {
  if (!(err instanceof Error)) return []
  const { name, message, stack = '' } = err
  const attributes = { 'exception.type': name, 'exception.message': message, 'exception.stacktrace': stack }
  return [{ name: 'exception', time, attributes }]
}

export interface SpanOrigin {
  resource: Resource
  version: string
}

export function spanOf(ended: EndedInvocation, { resource, version }: SpanOrigin): ReadableSpan {
  const { fn, invocation, request, parent, ms, status, err } = ended
  const context = contextOf(invocation.traceparent)
  const parentSpanContext = parentOf(context, parent ?? request.headers.get('traceparent'))
  const { task } = invocation.fields()
  const now = Date.now()
  const failed = isError(ended)
  const { type } = fn.config.trigger
  return {
    // The function's, as the conventions for functions want it.
    name: fn.name,
    kind: KINDS[type],
    spanContext: () => context,
    ...(parentSpanContext ? { parentSpanContext } : {}),
    startTime: hrTime(now - ms),
    endTime: hrTime(now),
    duration: hrTime(ms),
    status: { code: failed ? ERROR : UNSET },
    attributes: {
      'faas.trigger': TRIGGERS[type],
      'faas.name': fn.name,
      'faas.invocation_id': invocation.id,
      ...(typeof task === 'string' ? { 'revela.task': task } : {}),
      ...(failed ? { 'error.type': String(status) } : {}),
      ...requestAttributes(ended),
    },
    links: [],
    events: exceptionOf(err, hrTime(now)),
    ended: true,
    resource,
    instrumentationScope: { name: 'revela', version },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}
