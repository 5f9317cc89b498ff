/** `500MB`, `2GB`: sizes as a command line says them. A bare number is refused: a unit nobody wrote is a unit somebody guessed. */
import { InvalidArgumentError } from 'commander'

const unitBytes: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }

/** Bytes. Throws InvalidArgumentError, which commander tells with the option's name. */
export function parseSize(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(kB|MB|GB|TB)$/.exec(text) ?? []
  const bytes = Math.floor(Number(amount) * (unitBytes[unit ?? ''] ?? Number.NaN))
  if (!(bytes > 0)) throw new InvalidArgumentError('It must be a size with its unit: 500MB, 2GB.')
  return bytes
}

/** `1.2 GB`. */
export function sizeText(bytes: number): string {
  const [unit, size] = Object.entries(unitBytes).findLast(([, size]) => bytes >= size) ?? ['B', 1]
  return `${(bytes / size).toFixed(size > 1 && bytes / size < 10 ? 1 : 0)} ${unit}`
}
