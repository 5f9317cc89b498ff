/**
 * FNV-1a of 32 bits, a byte at a time: small enough to be inlined where bytes are walked anyway, and good enough to tell
 * shapes, ids and places apart. Its low bits depend on low bits only. Against nobody who chooses what is hashed.
 */
export const EMPTY_HASH = 0x811c9dc5

/** The hash of all that `hash` is of, and one byte more. */
export const hashOn = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193)
