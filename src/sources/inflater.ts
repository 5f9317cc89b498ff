/**
 * How file-pieces.ts reads what is packed, gzip or zstd: a step at a time, and what came out is taken before the next. The
 * one for zstd is here. Its steps are small because four bytes may become 128 KiB, and what two steps bring is held at a time.
 */
import { createZstdInflater, longestFileWindow } from '../core/formats/zstd.ts'

/** `too-large`: it asks for more memory than it may have. */
export type InflaterState = 'open' | 'ended' | 'damaged' | 'too-large'

export interface Inflater {
  /** Done once all that the chunk holds has come out, or the stream is over. */
  write(chunk: Buffer): Promise<InflaterState>
  /** `damaged` if the data ended in the middle of a member or frame. */
  finish(): Promise<InflaterState>
  takeOut(): readonly Buffer[]
  close(): void
}

/** So no more than 16 MiB come of one. */
const stepBytes = 512

export function createZstdInflating(): Inflater {
  const inflater = createZstdInflater({ maxWindowBytes: longestFileWindow })
  let out: Buffer[] = []
  let state: InflaterState = 'open'
  const take = (plain: Uint8Array): void => {
    out.push(Buffer.from(plain.buffer, plain.byteOffset, plain.length))
  }
  return {
    async write(chunk) {
      if (state === 'open') state = inflater.write(chunk, take)
      return state
    },
    async finish() {
      if (state === 'open') state = inflater.end(take)
      return state
    },
    takeOut() {
      const taken = out
      out = []
      return taken
    },
    close() {},
  }
}

export async function* inSteps(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += stepBytes) yield chunk.subarray(at, at + stepBytes)
}
