/** What the load on a worker is made of; known to who makes it and to who measures it. */

export interface LoadSettings {
  readonly brokers: readonly string[]
  readonly topic: string
  /** Of the load; the calm keys come on top. */
  readonly callsPerSecond: number
  readonly seconds: number
  /** So many keys are calm, and storm one after the other. */
  readonly storms: number
}

export const partitions = 4
const loadKeys = 200

/** 500 failures in 2.5 s of a key that calls once a second. */
export const storm = { firstAfterSeconds: 5, everySeconds: 1, seconds: 2.5, callsPerSecond: 200 }

/** Nothing is known of these: they are load and nothing else. */
export const loadKey = (number: number): string => `load${String(number % loadKeys).padStart(6, '0')}`
/** A week is known of these. */
export const calmKey = (number: number): string => `calm${String(number).padStart(6, '0')}`

/** A line of 350 bytes in the recommended format. */
export function lineOf({
  keyId,
  at,
  status,
}: {
  readonly keyId: string
  readonly at: number
  readonly status: number
}) {
  return (
    `{"requestId":"0a1b2c3d-4e5f-4061-8273-${String(at % 1e12).padStart(12, '0')}","requestTimeEpoch":"${at}","apiId":"a1b2c3d4e5",` +
    `"stage":"prod","apiKeyId":"${keyId}","sourceIp":"203.0.113.77","httpMethod":"POST","resourcePath":"/v1/payments",` +
    `"status":"${status}","responseLatency":"57","responseLength":"1042","integrationStatus":"${status}",` +
    `"integrationLatency":"54","userAgent":"payflow-java/4.2.1"}`
  )
}
