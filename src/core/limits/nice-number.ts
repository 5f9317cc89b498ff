/** The numbers that limits are rounded to, and that candidates are taken from: people read and compare them. */

/** From 1 to 100,000, each about a quarter more than the one before. */
export const niceNumbers: readonly number[] = (() => {
  const numbers = [1, 2, 3, 4, 5, 6, 8]
  for (let decade = 10; decade < 100_000; decade *= 10)
    for (const step of [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]) numbers.push(step * decade)
  return [...numbers, 100_000]
})()

/** The least nice number that is not below `value`; beyond the greatest the value itself, whole. */
export function niceAbove(value: number): number {
  return niceNumbers.find(number => number >= value) ?? Math.ceil(value)
}
