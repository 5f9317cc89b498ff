/** What holds in every format, whatever comes: nothing is thrown, and nothing of a line is shown. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatNames } from './field-names.ts'
import { decode } from './testing-decode.ts'

const secret = 'Zq7Xw9Kv4Pd2Sh5'
const at = '01/Jan/2026:12:00:00 +0000'
const lines = [
  `{"apiKeyId":"${secret}","apiKey":"${secret}","requestTimeEpoch":"1767268800000","status":"200","latency":"5"}`,
  `{"request":{"headers":{"apikey":"${secret}","${secret}":1}},"response":{"status":200,"size":5},"started_at":1767268800000}`,
  `[{"start_time":"2026-01-01T12:00:00Z","key_id":"${secret}","response_code":200},{"msec":"1767268800.1","key_id":"${secret}"}]`,
  `192.0.2.7 - ${secret} [${at}] "GET /${secret} HTTP/1.1" 200 12 "${secret}" key=${secret} rt="0.1"`,
  `requestTime,apiKey,status`,
  `${at},${secret},200`,
  `"${at}";"${secret}";"x ""${secret}"" y"`,
  `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":"${secret} {}"}]}`,
]
const insert = fc.constantFrom(
  '',
  '"',
  '""',
  '\\',
  '{',
  '}',
  '[',
  ']',
  '] "',
  ',',
  ':',
  ' ',
  '=',
  '-',
  '\n',
  '\u0000',
  '}{',
  '{"',
)
const mutation = fc.record({ place: fc.nat(400), cut: fc.nat(40), insert })
const mutated = fc
  .tuple(fc.array(fc.constantFrom(...lines), { minLength: 1, maxLength: 4 }), fc.array(mutation, { maxLength: 5 }))
  .map(([chosen, mutations]) =>
    mutations.reduce((text, { place, cut, insert }) => {
      const begin = place % (text.length + 1)
      return text.slice(0, begin) + insert + text.slice(begin + cut)
    }, chosen.join('\n')),
  )

test.each(formatNames)('%s: of what is refused no letter of a value is shown', format => {
  fc.assert(
    fc.property(mutated, text => {
      const { samples } = decode(text, { format })
      for (const { excerpt } of samples) expect(excerpt).not.toMatch(/[ZKPS][a-z]?\d|Zq|Xw|Kv|Pd|Sh/)
    }),
    { numRuns: 400 },
  )
})

test.each(formatNames)('%s: bytes of any kind are counted or refused, half a mebibyte of beginnings too', format => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      decode([bytes, Buffer.concat([Buffer.from('{'), bytes]), Buffer.concat([Buffer.from('['), bytes])], { format })
    }),
    { numRuns: 200 },
  )
  // What looks at the rest of the record at each of its bytes would not come to an end here.
  for (const unit of ['{}', '[{}]', '{"a":', '[{"a":', '[{"a" },', '] ', 'a=b ', 'a,', '"', '[', '}{"'])
    expect(decode(unit.repeat((1 << 19) / unit.length), { format }).length).toBe(0)
})
