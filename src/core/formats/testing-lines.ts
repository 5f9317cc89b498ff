/**
 * Lines of every kind that a log may hold, the same for the same seed: what the gateway writes, what other tools write,
 * and what is broken. Runs of lines share their shape, as in life, so that a reader that learns shapes has what to learn.
 */
import assert from 'node:assert/strict'
import { createRandom, type Random } from '../../simulation/random.ts'
import { recommendedFields } from './field-names.ts'

type Chance = Random['integer']

const others = [
  'keyId',
  'apiKey',
  'requestTime',
  'timestamp',
  'ts',
  'status_code',
  'latency',
  'bytes',
  'x',
  'st\u0061tus',
  'path',
  'ip',
]
/** What stands before a stroke is an object, which neighbours share. */
const nested = [
  'auth/key_id',
  'auth/owner',
  'request/uri',
  'request/from',
  'times/started',
  'response/status',
  'response/size',
  'response/of/status',
  'response/of/x',
  'latencies/request',
  'latencies/kong',
  'status/x',
  'calls/x',
  'response.status',
  'auth.key_id',
  'start',
  'calls',
]
const rowFields = [
  'key',
  'start',
  'seconds',
  'calls',
  'status2xx',
  'status4xx',
  'status5xx',
  'latencySumMs',
  'latencyCount',
  'bytes',
]

const keys = [
  'k1abcd2345',
  'k2',
  'abc',
  'kxxxxxlflv',
  'a-very-long-key-id-of-some-other-gateway',
  'é-key',
  '-',
  'anonymous',
  'k1abcd2346',
]
const numbers = [
  '0',
  '7',
  '42',
  '812',
  '1999',
  '45678',
  '123456',
  '1234567',
  '12345678',
  '987654321012',
  '0.5',
  '12.25',
  '1e3',
  '007',
]
const times = [
  '01/Jan/2026:00:00:00 +0000',
  '2026-01-01T13:00:00.000+01:00',
  '1767225600',
  '1767225600.123',
  '0999999999999',
  '17672256001234',
  '9999999999999',
  '4102444800000',
  'yesterday',
]
const texts = [
  'prod',
  'POST',
  '/v1/payments/{id}',
  'a b{c}[d],:e',
  'payflow-java/4.2.1',
  '',
  '-',
  '5f1c0b52-7d5e-4f0e-9a35',
  '!',
]
const paths = ['/v1/items/17', '/v1/items/17?page=2', 'GET /v1/items HTTP/1.1', '/v1', '/a?', '?', '-', 'items']
const addresses = [
  '192.0.2.1',
  '192.0.2.77',
  '198.51.100.3:4711',
  '2001:db8:7::1',
  '[2001:db8::1]:80',
  '999.1.1.1',
  'unknown',
]
const oddTexts = ['Mozilla/5.0 (X11; Linux!) "', 'naïve – ünïcode', '}{', 'back\\slash', 'x'.repeat(70)]
/** As they stand in the line. */
const oddValues = [
  '-',
  '-3',
  '1.',
  'null',
  'true',
  'false',
  'nul',
  '{"status":"500"}',
  '[1,"]"]',
  '{}',
  '"a\\"b"',
  '"\\u002d"',
  '"\\\\"',
  '"\\',
  '"tab\there"',
  '"un"quoted"',
  '"',
  'word',
  '1.5',
  '1e3',
  '007',
  '0',
  '"000"',
  '"é"',
  '{"of":{"status":"500"},"key_id":"k2"}',
  '{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":1}}}}}}}}}',
  '{"a":[],"status":"500"}',
  '123456789012345678901234567890',
  '12"',
  '"x","apiKeyId":"victim"',
  '"200","status":"500"',
  '"x"}{"apiKeyId":"second","requestTimeEpoch":"1767225600999"',
]
const joints = [', ', ' ,', ';', ',,', ',\t']

/** Which names stand on a line in which order, and how each value is written. */
interface Form {
  readonly names: readonly string[]
  readonly areBare: readonly boolean[]
  readonly joint: string
  readonly colon: string
  readonly end: string
}

export function randomLines(seed: number, count: number): readonly string[] {
  const chance = createRandom(seed).integer
  const shapesAtOnce = 3
  let forms = Array.from({ length: shapesAtOnce }, () => newForm(chance))
  let clock = 1_767_225_600_000
  return Array.from({ length: count }, (_, index) => {
    if (index % 500 === 499) forms = Array.from({ length: shapesAtOnce }, () => newForm(chance))
    clock += chance(30)
    return lineOf(pick(chance, forms), clock - chance(2_000), chance)
  })
}

const pick = <T>(chance: Chance, choices: readonly T[]): T => choices[chance(choices.length)]!

function newForm(chance: Chance): Form {
  const kind = chance(10)
  const usual = kind < 4 ? recommendedFields : [...recommendedFields, ...others]
  const all = kind === 0 ? rowFields : kind < 8 ? usual : [...usual, ...nested]
  // Few of the nested, since a name that stands twice is left to the thorough reader.
  const some = all.filter(name => kind < 3 || chance(6) > (nested.includes(name) ? 3 : 0))
  const names = kind < 3 ? some : shuffled(some, chance)
  if (chance(12) === 0) names.splice(chance(names.length), 0, pick(chance, names))
  return {
    names,
    areBare: names.map(() => (kind === 0 ? chance(2) === 0 : chance(4) === 0)),
    joint: chance(6) === 0 ? ', ' : ',',
    colon: chance(6) === 0 ? ': ' : ':',
    end: chance(6) === 0 ? ' }' : '}',
  }
}

function shuffled(names: readonly string[], chance: Chance): string[] {
  const left = [...names]
  return names.flatMap(() => left.splice(chance(left.length), 1))
}

function lineOf({ names, areBare, joint, colon, end }: Form, time: number, chance: Chance): string {
  const isOdd = chance(5) === 0
  const members = names.map((name, index) => {
    const value =
      isOdd && chance(10) === 0 ? pick(chance, oddValues) : writtenValue(name, areBare[index] === true, time, chance)
    return { path: name.split('/'), colon, value }
  })
  const between = isOdd && chance(6) === 0 ? pick(chance, joints) : joint
  const text = `{${joined(members, between)}${end}${chance(25) === 0 ? '\r' : ''}`
  return isOdd && chance(5) === 0 ? broken(text, chance) : text
}

interface Member {
  readonly path: readonly string[]
  readonly colon: string
  readonly value: string
}

function joined(members: readonly Member[], joint: string): string {
  const parts: string[] = []
  for (let index = 0; index < members.length; ) {
    const { path, colon, value } = members[index] ?? assert.fail()
    const [name, ...rest] = path
    const inner: Member[] = []
    while (rest.length > 0 && members[index]?.path.length !== 1 && members[index]?.path[0] === name) {
      const member = members[index++] ?? assert.fail()
      inner.push({ ...member, path: member.path.slice(1) })
    }
    if (rest.length === 0) index++
    parts.push(`"${name}"${colon}${rest.length === 0 ? value : `{${joined(inner, joint)}}`}`)
  }
  return parts.join(joint)
}

function writtenValue(path: string, isBare: boolean, time: number, chance: Chance): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const isUsual = chance(/time/i.test(name) ? 10 : 40) > 0
  const asNumber = (number: string): string => (isBare ? number : `"${number}"`)
  if (chance(60) === 0) return isBare ? pick(chance, ['-', 'null']) : pick(chance, ['"-"', '""'])
  if (/time|^ts$|^start/i.test(name)) return isUsual ? asNumber(String(time)) : `"${pick(chance, times)}"`
  if (/^(apiKeyId|keyId|apiKey|key)$|key_id$/.test(name)) return `"${pick(chance, keys)}"`
  if (/status/i.test(name) && !/\d|waf/.test(name))
    return asNumber(isUsual ? pick(chance, ['200', '404', '429', '502']) : pick(chance, numbers))
  if (/status\dxx|latency|length|bytes|calls|seconds|^x$|^request$|^size$/i.test(name))
    return asNumber(isUsual ? String(chance(name === 'calls' ? 100_000 : 900)) : pick(chance, numbers))
  if (isUsual && /path|uri/i.test(name)) return writtenPath(pick(chance, paths), chance)
  if (isUsual && /ip$|^from$/i.test(name)) return `"${pick(chance, addresses)}"`
  const text = chance(50) === 0 ? pick(chance, oddTexts) : pick(chance, texts)
  return `"${chance(4) === 0 ? text : JSON.stringify(text).slice(1, -1)}"`
}

/** Some writers escape each slash; hardly any escapes what need not be. */
function writtenPath(path: string, chance: Chance): string {
  if (chance(6) > 0) return `"${path}"`
  return `"${path.replaceAll('/', '\\/')}${chance(20) === 0 ? '\\u0041' : ''}"`
}

/** A line that was cut off, or into which something came. */
function broken(text: string, chance: Chance): string {
  const cut = chance(text.length)
  if (chance(2) === 0) return text.slice(0, cut)
  return `${text.slice(0, cut)}${pick(chance, ['"', '}', ',', '\\', '{', '0', '}{', '\u0000', ' '])}${text.slice(cut + chance(3))}`
}
