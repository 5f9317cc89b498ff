/**
 * A compressed block of zstd that `fzstd` 0.1.1 would read for ever: its Huffman weights are coded by a table of one symbol,
 * which takes no bits, and nothing else ends them. No encoder writes that (weights that are all alike are written as they
 * are), so the block is damaged, or meant to harm. With two symbols and more each step takes bits, or leads to a lower state.
 */

/** Header of the literals, then that of their Huffman tree, whose weights take 127 bytes at most. */
export const longestWeights = 5 + 1 + 127

/** `body`: of a compressed block, `longestWeights` of it or all. (RFC 8878, sections 3.1.1.3.1 and 4.1.1.) */
export function hasEndlessWeights(body: ArrayLike<number>): boolean {
  const first = body[0] ?? 0
  const hasTree = (first & 3) === 2
  const sizeFormat = (first >> 2) & 3
  const treeAt = sizeFormat < 2 ? 3 : sizeFormat + 2
  // From 128 on they are written as they are.
  if (!hasTree || (body[treeAt] ?? 128) >= 128) return false
  return hasOneSymbol(body, treeAt + 1)
}

/** Whether the first symbol of any share has all of it. Bits are taken from the lowest on. */
function hasOneSymbol(body: ArrayLike<number>, tableAt: number): boolean {
  const bitsAt = (bit: number, count: number): number => {
    const [low = 0, middle = 0, high = 0] = [body[bit >> 3], body[(bit >> 3) + 1], body[(bit >> 3) + 2]]
    return ((low | (middle << 8) | (high << 16)) >> (bit & 7)) & ((1 << count) - 1)
  }
  const accuracy = ((body[tableAt] ?? 0) & 15) + 5
  const states = 1 << accuracy
  const shortValues = states - 2
  for (let bit = 8 * tableAt + 4; bit < 8 * body.length; ) {
    const value = bitsAt(bit, accuracy + 1)
    const low = value & (states - 1)
    const isShort = low < shortValues
    const share = (isShort ? low : value >= states ? value - shortValues : value) - 1
    if (share !== 0) return share === states
    bit += isShort ? accuracy : accuracy + 1
    // So many more symbols have no share; three, and what the next two bits say.
    while (bitsAt(bit, 2) === 3) bit += 2
    bit += 2
  }
  return false
}
