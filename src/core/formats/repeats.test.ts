import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRepeats } from './repeats.ts'

const line = (fields: object): Buffer => Buffer.from(JSON.stringify({ apiKeyId: 'k1', status: 200, ...fields }))
const envelope = (events: readonly { readonly id: string; readonly message: string }[], rest: object = {}): Buffer =>
  Buffer.from(JSON.stringify({ messageType: 'DATA_MESSAGE', logEvents: events, ...rest }))
const events = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({ id: `3${from + index}`, message: '{"status":200}' }))

/** Each record comes at a position of its own. */
function reading() {
  const repeats = createRepeats()
  return { ...repeats, isRepeat: (bytes: Buffer) => repeats.isRepeat(bytes, String(position++)) }
}
let position = 0

test('what is read again at the same position is no copy', () => {
  const before = createRepeats()
  const record = envelope(events(0, 5))
  expect(before.isRepeat(record, '49590338271490256608')).toBe(false)
  const after = createRepeats()
  after.restore(before.snapshot())
  expect(after.isRepeat(record, '49590338271490256608')).toBe(false)
  expect(after.isRepeat(record, '49590338271490256609')).toBe(true)
})

test('an envelope of the same events is the same, whatever stands around them', () => {
  const repeats = reading()
  expect(repeats.isRepeat(envelope(events(0, 5)))).toBe(false)
  expect(repeats.isRepeat(envelope(events(0, 5), { subscriptionFilters: ['again'] }))).toBe(true)
  expect(repeats.isRepeat(envelope(events(0, 4)))).toBe(false)
  expect(repeats.isRepeat(envelope(events(1, 5)))).toBe(false)
  expect(repeats.isRepeat(envelope([...events(0, 1), ...events(2, 5)]))).toBe(false)
})

test('what a client writes into a message makes no id', () => {
  const repeats = reading()
  const userAgent = '"id":"forged" "logEvents":[{"id":"forged"}]'
  const of = (id: string) => envelope([{ id, message: JSON.stringify({ userAgent }) }])
  expect([of('31'), of('32'), of('31')].map(repeats.isRepeat)).toEqual([false, false, true])
})

test('a probe whether we can be reached is never a copy', () => {
  const repeats = reading()
  const probe = Buffer.from('{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL"}]}')
  expect([probe, probe].map(repeats.isRepeat)).toEqual([false, false])
})

test('a line is the same if all of it is, and the gateway’s own id is in it', () => {
  const repeats = reading()
  const call = line({ extendedRequestId: 'QwErTy=', requestId: 'of the client' })
  expect([call, call].map(repeats.isRepeat)).toEqual([false, true])
  expect(repeats.isRepeat(line({ extendedRequestId: 'QwErTy=', requestId: 'another' }))).toBe(false)
})

test('two calls that are alike are two calls, and an id that the client sets makes them no less', () => {
  const repeats = reading()
  for (const call of [
    line({}),
    line({ requestId: 'mine' }),
    line({ extendedRequestId: '-' }),
    line({ extendedRequestId: '' }),
  ])
    expect([call, call].map(repeats.isRepeat)).toEqual([false, false])
})

test('a line that a client made look like an envelope is a line', () => {
  const repeats = reading()
  const forged = (ordinal: number) =>
    Buffer.from(`{"extendedRequestId":"${ordinal}","userAgent":""logEvents":[{"id":"x","message":""}]"}`)
  expect([forged(1), forged(2), forged(2)].map(repeats.isRepeat)).toEqual([false, false, true])
})

test('a client that writes another’s id into what it may write hides nothing', () => {
  const repeats = reading()
  const forged = (ordinal: number) =>
    Buffer.from(`{"userAgent":"\\"extendedRequestId\\":\\"x\\"","extendedRequestId":"${ordinal}"}`)
  expect([forged(1), forged(2), forged(3)].map(repeats.isRepeat)).toEqual([false, false, false])
})

test('what comes again is known among tens of thousands of others, and forgotten after more', () => {
  const repeats = reading()
  const call = (ordinal: number) => line({ extendedRequestId: `id-${ordinal}` })
  for (let ordinal = 0; ordinal < 65_536; ordinal++) expect(repeats.isRepeat(call(ordinal))).toBe(false)
  expect(repeats.isRepeat(call(0))).toBe(true)
  for (let ordinal = 65_536; ordinal < 3 * 65_536; ordinal++) repeats.isRepeat(call(ordinal))
  expect([call(0), call(3 * 65_536 - 1)].map(repeats.isRepeat)).toEqual([false, true])
})

test('what a checkpoint kept is known after a restart', () => {
  const before = reading()
  for (let ordinal = 0; ordinal < 70_000; ordinal++) before.isRepeat(line({ extendedRequestId: `id-${ordinal}` }))
  const after = reading()
  after.restore(structuredClone(before.snapshot()))
  expect(
    [0, 65_535, 69_999, 70_000].map(ordinal => after.isRepeat(line({ extendedRequestId: `id-${ordinal}` }))),
  ).toEqual([...[true, true, true, false]])
})

test('any bytes are looked at without harm, and give the same answer each time', () => {
  const bits = fc.oneof(
    fc.constantFrom('"logEvents"', '"id"', ':', '"', '"extendedRequestId"', ' ', '\\', '{', '[', 'x'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 12 }), parts => {
      const bytes = Buffer.from(parts.join(''))
      const answers = [0, 1].map(() => {
        const repeats = reading()
        return [bytes, bytes].map(repeats.isRepeat)
      })
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]?.[0]).toBe(false)
    }),
    { numRuns: 50 },
  )
})
