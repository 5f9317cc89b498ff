/** A question to a person at a terminal, answered by yes or anything else. */
import { createInterface } from 'node:readline/promises'

interface TerminalInput extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
}

/** undefined where nobody is there to be asked. */
export function askYes(
  input: TerminalInput,
  output: NodeJS.WritableStream,
): ((question: string) => Promise<boolean>) | undefined {
  if (input.isTTY !== true) return undefined
  return async question => {
    const asking = createInterface({ input, output })
    try {
      return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim())
    } finally {
      asking.close()
    }
  }
}
