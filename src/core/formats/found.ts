/** Where a line of a known shape has what: filled by the fast reader, and made numbers of by whoever counts the line. One a reader. */

/** Of a count row. */
const amountParts = 9

/** What was found on the line that was matched last, besides the columns. */
export interface Found {
  /** Where a scan has come to. */
  at: number
  hasTime: boolean
  /** The key id and the raw key, as they stand; `from` is -1 where there is none. */
  keyFrom: number
  keyTo: number
  secretFrom: number
  secretTo: number
  /** What a route is known by, where it could be told as its end was looked for; else 0, and it stands there. */
  route: number
  routeFrom: number
  routeTo: number
  /** It is written with escapes. */
  isRouteEscaped: boolean
  /** The source, and its hash under `sourceSeed`. */
  sourceFrom: number
  sourceTo: number
  sourceHash: number
  readonly sourceSeed: number
  /** Of a count row, by part from `amountPart` on. */
  readonly amounts: Float64Array
  /** The first eight digits of a time, as two words, and what they say: they change once in a hundred seconds. */
  timeHead: number
  timeNeck: number
  timeBase: number
}

export const createFound = (sourceSeed: number): Found => ({
  at: 0,
  hasTime: false,
  keyFrom: -1,
  keyTo: -1,
  secretFrom: -1,
  secretTo: -1,
  route: 0,
  routeFrom: -1,
  routeTo: -1,
  isRouteEscaped: false,
  sourceFrom: -1,
  sourceTo: -1,
  sourceHash: 0,
  sourceSeed,
  amounts: new Float64Array(amountParts),
  timeHead: 0,
  timeNeck: 0,
  timeBase: 0.5,
})
