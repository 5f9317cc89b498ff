/** What may be done to something valid: what disks and networks do, and what somebody would write who means harm. */
import fc from 'fast-check'

export interface Mutation {
  readonly kind: (typeof kinds)[number]
  /** Where, as a share of the length. */
  readonly at: number
  /** Which one, how much: each kind takes of it what it needs. */
  readonly amount: number
}

const kinds = ['flip', 'set', 'cut', 'drop', 'double', 'insert', 'splice', 'number', 'name', 'swap'] as const

export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...kinds),
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    amount: fc.nat(),
  }),
  { minLength: 1, maxLength: 4 },
)

/** Each as it would stand in a line, a file or a header. */
export const nastyPieces: readonly Buffer[] = [
  ...[
    '\0',
    '\r',
    '\n',
    '\r\n',
    '\t',
    '"',
    "'",
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '}{',
    '[{',
    '-',
    ' ',
    '#',
    '|',
    '&a',
    '*a',
  ],
  ...['NaN', 'Infinity', '-Infinity', '-0', '1e999', '-1e999', '1e-999', '9007199254740993', '123456789'.repeat(40)],
  ...[
    'null',
    'true',
    '{}',
    '[]',
    '""',
    '"__proto__":',
    '"constructor":',
    '{"__proto__":{"a":1}}',
    '__proto__: {a: 1}\n',
  ],
  ...['\\ud800', '\\u0000', '\\udfff\\ud800', '\ufeff', '\u2028', '\u202e', 'ß'.repeat(99), '😀'],
  ...['{"messageType":"DATA_MESSAGE",', '"logEvents":[', '"apiKeyId":"victim",', '"status":"500",'],
  ...['\u001b[31m', '\u001b]0;title\u0007', '=cmd()', '<script>', '<!channel>', '%00', '..%2f', '\uffff'],
  ...[
    '!!js/function x',
    '!!binary "AAAA"',
    '<<: *a\n',
    '? [a]\n: b\n',
    '---\n',
    '...\n',
    '%YAML 9.9\n',
    '&a [*a,*a]\n',
  ],
].map(text => Buffer.from(text))

/** Bytes that are no text, and text that is too much. */
const heavyPieces: readonly Buffer[] = [
  Buffer.from([0xff, 0xfe, 0xc0, 0x80]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xf5, 0x90]),
  Buffer.from([0x80]),
  Buffer.alloc(64, 0),
  Buffer.alloc(16, 0xff),
  Buffer.from('['.repeat(3_000)),
  Buffer.from('{"a":'.repeat(3_000)),
  Buffer.from('x'.repeat(70_000)),
  Buffer.from('"'.repeat(500)),
  Buffer.from('\\'.repeat(501)),
  Buffer.from(
    'a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n',
  ),
]

export function mutated(bytes: Buffer, mutations: readonly Mutation[], other: () => Buffer): Buffer {
  return mutations.reduce((before, mutation) => apply(before, mutation, other), bytes)
}

function apply(bytes: Buffer, { kind, at: share, amount }: Mutation, other: () => Buffer): Buffer {
  const at = Math.floor(share * bytes.length)
  const around = (from: number, to: number, put: Uint8Array): Buffer =>
    Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(Math.min(to, bytes.length))])
  switch (kind) {
    case 'flip':
      return around(at, at + 1, Uint8Array.of((bytes[at] ?? 0) ^ (1 << (amount & 7))))
    case 'set':
      return around(at, at + 1, Uint8Array.of(amount & 0xff))
    case 'cut':
      return bytes.subarray(0, at)
    case 'drop':
      return around(at, at + 1 + (amount % 40), Buffer.alloc(0))
    case 'double':
      return around(at, at, bytes.subarray(at, at + 1 + (amount % 200)))
    case 'insert': {
      // Now and then what is heavy: most inputs are to be quick.
      const pieces = amount % 16 === 0 ? heavyPieces : nastyPieces
      return around(at, at, pieces[(amount >> 4) % pieces.length] ?? Buffer.alloc(0))
    }
    case 'splice': {
      const rest = other()
      return Buffer.concat([bytes.subarray(0, at), rest.subarray(amount % (rest.length + 1))])
    }
    case 'number':
      return replaced(bytes, at, /-?\d+(?:\.\d+)?/g, numbers[amount % numbers.length] ?? '0')
    case 'name':
      return replaced(bytes, at, /[A-Za-z_]\w*/g, names[amount % names.length] ?? 'x')
    case 'swap': {
      const length = 1 + (amount % 8)
      return around(
        at,
        at + 2 * length,
        Buffer.concat([bytes.subarray(at + length, at + 2 * length), bytes.subarray(at, at + length)]),
      )
    }
    default:
      return kind satisfies never
  }
}

const numbers: readonly string[] = [
  ...['0', '-0', '-1', '1e308', '1e999', '-1e999', 'NaN', 'Infinity', '0.1', '1.', '.5', '007', '+1', '0x10', '1_000'],
  ...['4294967296', '2147483648', '9007199254740993', '99999999999999999999', '8640000000000001', '1e21', '""', 'null'],
]
const names: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'length',
  'then',
  'null',
  'x',
  '',
]

/** The first match at or behind a place. */
function replaced(bytes: Buffer, at: number, pattern: RegExp, put: string): Buffer {
  const text = bytes.toString('latin1')
  pattern.lastIndex = at
  const found = pattern.exec(text)
  if (found === null) return bytes
  return Buffer.concat([
    bytes.subarray(0, found.index),
    Buffer.from(put),
    bytes.subarray(found.index + found[0].length),
  ])
}
