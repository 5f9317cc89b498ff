/**
 * Under which names each format writes what Weir needs. Data, one entry a format: a gateway's own names where it has a log
 * of its own (Kong, APISIX), and those of the log format that the README asks for where it has none (Envoy, nginx).
 * What the configuration names takes the place of these.
 */

export const formatNames = [
  ...(['auto', 'access-log', 'cloudwatch-logs', 'panes', 'clf', 'csv'] as const),
  ...(['kong', 'envoy', 'nginx', 'apisix'] as const),
] as const
export type FormatName = (typeof formatNames)[number]

/** What is looked for in a call's line, by the names it may have there. */
export interface FieldNames {
  readonly keyId: readonly string[]
  readonly apiKey: readonly string[]
  readonly time: readonly string[]
  readonly status: readonly string[]
  readonly latency: readonly string[]
  readonly bytes: readonly string[]
  /** What was called: a path, also where a method stands before it. */
  readonly route: readonly string[]
  /** From where: an address. */
  readonly source: readonly string[]
  /** Milliseconds in one of what the latency is written in. */
  readonly latencyUnitMs: number
}

/** Milliseconds in one of each setting's unit. A log has one latency, in one of them. */
export const latencyUnitsMs = { latencyMs: 1, latencySeconds: 1000, latencyMicros: 0.001 } as const
export type LatencySetting = keyof typeof latencyUnitsMs

type Names = readonly string[]
/** `fields:` as the user wrote it: what is left out has the names of the format. */
export type FieldSettings = {
  readonly [name in 'keyId' | 'apiKey' | 'time' | 'status' | 'bytes' | 'route' | 'source' | LatencySetting]?:
    | Names
    | undefined
} & {
  /** Header line of a CSV. */
  readonly header?: string | undefined
}

const none: FieldNames = {
  ...{ keyId: [], apiKey: [], time: [], status: [], latency: [], bytes: [], route: [], source: [] },
  latencyUnitMs: 1,
}

/** API Gateway's recommended format, and what others commonly write. */
export const usualNames: FieldNames = {
  ...none,
  keyId: ['apiKeyId', 'keyId', 'api_key_id'],
  apiKey: ['apiKey', 'api_key'],
  time: ['requestTimeEpoch', 'requestTime', 'timestamp', 'time', 'ts'],
  status: ['status', 'responseStatus', 'status_code'],
  latency: ['responseLatency', 'latency', 'latencyMs'],
  bytes: ['responseLength', 'bytes'],
  route: ['path', 'uri', 'request_uri', 'resourcePath', 'routeKey'],
  source: ['sourceIp', 'ip', 'client_ip', 'remote_addr'],
}

/** The log format that the README recommends, in its order. */
export const recommendedFields = [
  'requestId',
  'extendedRequestId',
  'requestTimeEpoch',
  'apiId',
  'stage',
  'apiKeyId',
  'principalId',
  'sourceIp',
  'httpMethod',
  'resourcePath',
  'status',
  'responseLatency',
  'responseLength',
  'integrationStatus',
  'integrationLatency',
  'errorResponseType',
  'wafStatus',
  'userAgent',
]

const namesOfFormat: Readonly<Partial<Record<FormatName, FieldNames>>> = {
  // Fields of a text line have places; these are the names of the places (clf.ts).
  clf: {
    ...none,
    keyId: ['authuser'],
    time: ['time'],
    status: ['status'],
    bytes: ['bytes'],
    route: ['request'],
    source: ['host'],
  },
  // kong.log.serialize (kong/pdk/log.lua): the credential's id, the consumer's where the plugin knows no credential.
  // `request.headers` holds the raw `apikey` and whatever else a client sent: nothing in it is looked at.
  kong: {
    ...none,
    keyId: ['authenticated_entity.id', 'consumer.id'],
    time: ['started_at'],
    status: ['response.status'],
    latency: ['latencies.request'],
    bytes: ['response.size'],
    route: ['request.uri'],
    source: ['client_ip'],
  },
  // The names that Istio's default format and Envoy's documentation use; the key id is the user's own to add.
  envoy: {
    ...none,
    keyId: ['key_id'],
    time: ['start_time'],
    status: ['response_code'],
    latency: ['duration'],
    bytes: ['bytes_sent'],
    // Never x_forwarded_for, of which a client writes what it likes.
    route: ['path', ':path'],
    source: ['downstream_remote_address', 'downstream_remote_address_without_port'],
  },
  // Named after nginx's variables; $request_time is in seconds.
  nginx: {
    ...none,
    keyId: ['key_id'],
    time: ['msec', 'time_iso8601', 'time_local'],
    status: ['status'],
    latency: ['request_time'],
    latencyUnitMs: latencyUnitsMs.latencySeconds,
    bytes: ['bytes_sent', 'body_bytes_sent'],
    route: ['uri', 'request_uri', 'request'],
    source: ['remote_addr'],
  },
  // The default entry (apisix/utils/log-util.lua), and a `log_format` of variables under their own names; the latency of
  // such a one is in seconds, which the settings must say.
  apisix: {
    ...none,
    keyId: ['consumer.username', 'consumer_name'],
    time: ['start_time', 'msec', '@timestamp'],
    status: ['response.status', 'status'],
    latency: ['latency'],
    bytes: ['response.size', 'bytes_sent'],
    route: ['request.uri', 'uri', 'request_uri'],
    source: ['client_ip', 'remote_addr'],
  },
}

/** The names that count for a log of `format`: of the settings the first latency there is, in its unit. */
export function fieldNamesOf(format: FormatName, named: FieldSettings): FieldNames {
  const shipped = namesOfFormat[format] ?? usualNames
  const { latencyMs, latencySeconds, latencyMicros } = named
  const latency =
    (latencyMs && { names: latencyMs, unitMs: latencyUnitsMs.latencyMs }) ??
    (latencySeconds && { names: latencySeconds, unitMs: latencyUnitsMs.latencySeconds }) ??
    (latencyMicros && { names: latencyMicros, unitMs: latencyUnitsMs.latencyMicros })
  return {
    keyId: named.keyId ?? shipped.keyId,
    apiKey: named.apiKey ?? shipped.apiKey,
    time: named.time ?? shipped.time,
    status: named.status ?? shipped.status,
    latency: latency?.names ?? shipped.latency,
    bytes: named.bytes ?? shipped.bytes,
    route: named.route ?? shipped.route,
    source: named.source ?? shipped.source,
    latencyUnitMs: latency?.unitMs ?? shipped.latencyUnitMs,
  }
}
