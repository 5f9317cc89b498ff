/** Waiting for something that another process does: asked again and again, and when it takes too long, said in words. */
import { setTimeout as pause } from 'node:timers/promises'

const askEveryMs = 50

export type Ask<Answer> = () => Promise<Answer | undefined> | Answer | undefined

/** Resolves with the first answer that is not undefined. `wanted` ends the sentence "Waited in vain for …". */
export async function until<Answer>(wanted: string, ask: Ask<Answer>, withinMs: number): Promise<Answer> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${wanted} (${withinMs / 1_000} s)`)
    await pause(askEveryMs)
  }
}
