/** One line of API Gateway's JSON access log, in the recommended format: every value quoted, `-` where there is none. */
import type { EpochMs } from '../../core/vocabulary.ts'

export interface LoggedCall {
  /** When it was answered: the gateway writes its line then. */
  readonly answeredAt: EpochMs
  readonly keyId: string
  readonly sourceIp: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly bytes: number
  readonly userAgent: string
  /** Counts all lines of a stream. */
  readonly ordinal: number
}

/** A model, since the recordings tell none: 20 ms, and a second for every 2 MB of the answer, at most 1.5 s more. */
const latencyMsOf = (bytes: number): number => Math.round(20 + Math.min(1_500, bytes / 2_000))

export function accessLogLine(call: LoggedCall): string {
  const latencyMs = latencyMsOf(call.bytes)
  const id = call.ordinal.toString(16).padStart(12, '0')
  const isRefused = call.status === 429
  return JSON.stringify({
    requestId: `00000000-0000-4000-8000-${id}`,
    extendedRequestId: `${id}=`,
    requestTimeEpoch: String(Math.round(call.answeredAt - latencyMs)),
    apiId: 'endtoend01',
    stage: 'prod',
    apiKeyId: call.keyId,
    principalId: '-',
    sourceIp: call.sourceIp,
    httpMethod: call.method,
    resourcePath: call.path,
    status: String(call.status),
    responseLatency: String(latencyMs),
    responseLength: String(call.bytes),
    integrationStatus: isRefused ? '-' : '200',
    integrationLatency: isRefused ? '-' : String(latencyMs - 2),
    errorResponseType: isRefused ? 'THROTTLED' : '-',
    wafStatus: '-',
    userAgent: call.userAgent,
  })
}
