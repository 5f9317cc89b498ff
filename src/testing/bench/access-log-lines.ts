/**
 * The bench's input: an hour of API Gateway access log, the same for the same seed. 200 tenants of very unequal size call
 * steadily; half an hour in, one of them storms for 45 seconds and makes a tenth of all lines. A line is written when
 * its call is answered, so request times are slightly out of order, as they are in life.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createRandom } from '../../simulation/random.ts'

export const keyCount = 200
/** The storming tenant: key number 20, an ordinary one with about 0.6 % of the fleet's calls. */
export const stormKeyId = keyId(20)
export const startsAt = Date.UTC(2026, 9, 16, 13)
const seconds = 3600
const storm = { from: 1800, seconds: 45, share: 0.1 }

/** Part of the cached file's name: a changed generator must not meet an old file. */
const generation = 2
const pieceBytes = 4 << 20

/** Path of the file with so many lines, made if it is not there yet. */
export function accessLogFile(lines: number, packing: 'plain' | 'gzip' = 'plain'): string {
  const path = join(tmpdir(), `weir-bench-access-log-v${generation}-${lines}.ndjson`)
  if (!existsSync(path)) writeLog(path, lines)
  return packing === 'plain' ? path : gzipped(path)
}

function gzipped(path: string): string {
  const packed = `${path}.gz`
  if (existsSync(packed)) return packed
  const aside = `${packed}.${process.pid}`
  writeFileSync(aside, gzipSync(readFileSync(path)), { mode: 0o600 })
  renameSync(aside, packed)
  return packed
}

function writeLog(path: string, lines: number): void {
  const aside = `${path}.${process.pid}`
  const file = openSync(aside, 'w', 0o600)
  let piece: string[] = []
  let pieceLength = 0
  for (const line of accessLogLines({ lines, seed: 1 })) {
    piece.push(line)
    pieceLength += line.length
    if (pieceLength < pieceBytes) continue
    writeSync(file, piece.join(''))
    piece = []
    pieceLength = 0
  }
  writeSync(file, piece.join(''))
  closeSync(file)
  renameSync(aside, path)
}

export const bytesOf = (path: string): number => statSync(path).size

/** Exactly `lines` lines, each with its line feed. */
export function* accessLogLines({ lines, seed }: { readonly lines: number; readonly seed: number }): Generator<string> {
  const random = createRandom(seed).uniform
  const keyAt = keyDraw()
  const stormLines = Math.round(lines * storm.share)
  for (let second = 0; second < seconds; second++) {
    const usual = spread({ total: lines - stormLines, parts: seconds, part: second })
    const storming = spread({ total: stormLines, parts: storm.seconds, part: second - storm.from })
    for (let call = 0; call < usual + storming; call++) {
      const answeredAt = startsAt + second * 1000 + Math.floor((call / (usual + storming)) * 1000)
      const inStorm = random() * (usual + storming) < storming
      yield line({
        answeredAt,
        key: inStorm ? stormKeyId : keyId(keyAt(random())),
        failed: random() < (inStorm ? 0.4 : 0.003),
        random,
      })
    }
  }
}

/** How many of `total` things fall into one of `parts` equal parts, so that all parts together hold exactly `total`. */
function spread({
  total,
  parts,
  part,
}: {
  readonly total: number
  readonly parts: number
  readonly part: number
}): number {
  if (part < 0 || part >= parts) return 0
  return Math.floor((total * (part + 1)) / parts) - Math.floor((total * part) / parts)
}

const methods = ['POST', 'POST', 'POST', 'GET', 'GET', 'DELETE'] as const
const paths = ['/v1/payments', '/v2/payments', '/v1/payments/{id}', '/v2/refunds', '/v1/customers/{id}'] as const
const agents = ['payflow-java/4.2.1', 'payflow-node/2.0.9', 'okhttp/4.12.0', 'python-requests/2.32.3'] as const

interface Call {
  readonly answeredAt: number
  readonly key: string
  readonly failed: boolean
  readonly random: () => number
}

function line({ answeredAt, key, failed, random }: Call): string {
  const latencyMs = Math.round(20 + 60 * Math.exp(1.2 * (random() + random() + random() - 1.5)))
  const status = failed ? 502 : random() < 0.02 ? 404 : 200
  const id = `${hex(random)}-${hex(random).slice(4)}-4${hex(random).slice(5)}-9${hex(random).slice(5)}-${hex(random)}${hex(random).slice(4)}`
  const source = `203.0.113.${Math.floor(random() * 256)}`
  return (
    `{"requestId":"${id}","requestTimeEpoch":"${answeredAt - latencyMs}","apiId":"a1b2c3d4e5","stage":"prod",` +
    `"apiKeyId":"${key}","sourceIp":"${source}","httpMethod":"${pick(methods, random)}","resourcePath":"${pick(paths, random)}",` +
    `"status":"${status}","responseLatency":"${latencyMs}","responseLength":"${200 + Math.floor(random() * 1800)}",` +
    `"integrationStatus":"${status}","integrationLatency":"${latencyMs - 3}","userAgent":"${pick(agents, random)}"}\n`
  )
}

function pick(from: readonly string[], random: () => number): string | undefined {
  return from[Math.floor(random() * from.length)]
}

function hex(random: () => number): string {
  return Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}

/** Ten characters, as API Gateway's own key ids have. */
function keyId(number: number): string {
  return `k${(number * 7919 + 1_000_003).toString(36).padStart(9, 'x')}`
}

/** From a share of all calls to a key: the n-th largest tenant has a share of 1/n. */
function keyDraw(): (share: number) => number {
  const upTo = new Float64Array(keyCount)
  let sum = 0
  for (let key = 0; key < keyCount; key++) upTo[key] = sum += 1 / (key + 1)
  return share => {
    let low = 0
    let high = keyCount - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((upTo[middle] ?? sum) < share * sum) low = middle + 1
      else high = middle
    }
    return low
  }
}
