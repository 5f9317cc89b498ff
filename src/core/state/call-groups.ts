/**
 * A stretch of a batch's calls by key: each key's state is looked up and brought near once, and not once a call. Kept as
 * chains of rows, so that grouping costs two writes a call and no sorting. Keys come in the order in which they turn up,
 * the calls of a key in the order in which they came. Reused from stretch to stretch; mutable on purpose.
 */

export interface CallGroups {
  /** How many keys, and the first row of each. Rows count from the batch's first. */
  length: number
  first: Int32Array
  /** The row of the same key that follows a row; -1 after the last. */
  next: Int32Array
  /** Of each key number, its last row so far plus one; 0 for none. All 0 between stretches. */
  last: Int32Array
}

export const createCallGroups = (): CallGroups => ({
  length: 0,
  first: new Int32Array(0),
  next: new Int32Array(0),
  last: new Int32Array(0),
})

/** Makes room for so many rows, of so many keys. Only between stretches. */
export function makeRoomFor(
  groups: CallGroups,
  { rows, keys }: { readonly rows: number; readonly keys: number },
): void {
  if (rows > groups.next.length) {
    groups.first = new Int32Array(rows * 2)
    groups.next = new Int32Array(rows * 2)
  }
  if (keys > groups.last.length) groups.last = new Int32Array(keys * 2)
}

export function addRow(groups: CallGroups, key: number, row: number): void {
  const { first, next, last } = groups
  const before = (last[key] as number) - 1
  if (before < 0) first[groups.length++] = row
  else next[before] = row
  last[key] = row + 1
  next[row] = -1
}

/** Ready for the next stretch. `key`: key numbers, of which the batch's first row's is at `from`. */
export function clearGroups(groups: CallGroups, key: Int32Array, from: number): void {
  for (let group = 0; group < groups.length; group++)
    groups.last[key[from + (groups.first[group] as number)] as number] = 0
  groups.length = 0
}
