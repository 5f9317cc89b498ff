/**
 * A stretch of a batch's calls by key: each key's state is looked up and brought near once, and not once a call. Kept as
 * chains of rows, so that grouping costs two writes a call and no sorting. Keys come in the order in which they turn up,
 * the calls of a key in the order in which they came. Reused from stretch to stretch; mutable on purpose.
 */

export interface CallGroups {
  /** The batch's row from which rows count. */
  from: number
  /** How many keys, and the first row of each. */
  length: number
  first: Int32Array
  /** The row of the same key that follows a row; -1 after the last. */
  next: Int32Array
  /** Of each key number, its last row so far plus one; 0 for none. All 0 between stretches. */
  last: Int32Array
}

export const createCallGroups = (): CallGroups => ({
  from: 0,
  length: 0,
  first: new Int32Array(0),
  next: new Int32Array(0),
  last: new Int32Array(0),
})

/** Ready for rows `from` to `to` (exclusive) of a batch with so many keys. */
export function startGroups(
  groups: CallGroups,
  { from, to, keys }: { readonly from: number; readonly to: number; readonly keys: number },
): void {
  const rows = to - from
  groups.from = from
  if (rows > groups.next.length) {
    groups.first = new Int32Array(rows * 2)
    groups.next = new Int32Array(rows * 2)
  }
  if (keys > groups.last.length) groups.last = new Int32Array(keys * 2)
}

export function addRow(groups: CallGroups, key: number, batchRow: number): void {
  const { first, next, last } = groups
  const row = batchRow - groups.from
  const before = (last[key] as number) - 1
  if (before < 0) first[groups.length++] = row
  else next[before] = row
  last[key] = row + 1
  next[row] = -1
}

/** How many calls the group has that begins at `first`. */
export function groupLength({ next }: CallGroups, first: number): number {
  let calls = 0
  for (let row = first; row >= 0; row = next[row] as number) calls++
  return calls
}

/** Ready for the next stretch of the same batch. `key`: its key numbers. */
export function clearGroups(groups: CallGroups, key: Int32Array): void {
  const { from, first, last } = groups
  for (let group = 0; group < groups.length; group++) last[key[from + (first[group] as number)] as number] = 0
  groups.length = 0
}
