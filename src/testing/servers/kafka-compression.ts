/** What kafkajs needs to produce in all four compressions: the other direction of what the source reads. */
import { init as initZstd, compress as zstdCompress, decompress as zstdDecompress } from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs'
import { compressFrame, decompressFrame } from 'lz4-napi'
import { compress as snappyCompress, uncompress as snappyUncompress } from 'snappy'

const { CompressionCodecs, CompressionTypes } = kafkajs

export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof compressions)[number]

/** kafkajs' number for it. */
export const compressionType: Readonly<Record<Compression, number>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

interface Encoded {
  readonly buffer: Buffer
}

/** From now on kafkajs produces in each, in this process. Its own reading, which tests compare ours with, can read them. */
export async function produceCompressed(): Promise<void> {
  await initZstd()
  const codec =
    (compress: (bytes: Buffer) => Promise<Buffer>, decompress: (bytes: Buffer) => Promise<Buffer>) => () => ({
      compress: ({ buffer }: Encoded) => compress(buffer),
      decompress,
    })
  CompressionCodecs[CompressionTypes.Snappy] = codec(xerial, unxerial)
  CompressionCodecs[CompressionTypes.LZ4] = codec(bytes => compressFrame(bytes), decompressFrame)
  CompressionCodecs[CompressionTypes.ZSTD] = codec(
    async bytes => Buffer.from(zstdCompress(bytes, 3)),
    async bytes => Buffer.from(zstdDecompress(bytes, { defaultHeapSize: 64 << 20 })),
  )
}

const blockBytes = 32 << 10
const header = Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1')

/** As Java's clients frame it. */
async function xerial(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [header]
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = await snappyCompress(bytes.subarray(at, at + blockBytes))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

async function unxerial(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let at = header.length; at < bytes.length; ) {
    const end = at + 4 + bytes.readInt32BE(at)
    parts.push(Buffer.from(await snappyUncompress(bytes.subarray(at + 4, end))))
    at = end
  }
  return Buffer.concat(parts)
}
