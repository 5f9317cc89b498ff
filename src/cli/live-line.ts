/** One line that rewrites itself while something goes on, on a terminal only. */

export interface LineOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export function liveLine(screen: LineOutput) {
  let isShown = false
  return {
    show(text: string): void {
      if (!screen.isTTY) return
      screen.write(`\r\x1b[K${text}`)
      isShown = true
    },
    clear(): void {
      if (isShown) screen.write('\r\x1b[K')
      isShown = false
    },
  }
}
