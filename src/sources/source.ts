/**
 * Where records come from. A source hands over records in the order of each partition and says where reading may go
 * on; it knows nothing of formats. At-least-once is enough: the worker's checkpoint holds the positions.
 */
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'

export interface SourceRecord {
  readonly partition: PartitionId
  /** Where reading goes on AFTER this record (Kafka: offset + 1; Kinesis: this sequence number; file: byte offset after it). */
  readonly position: Position
  /** One record of a stream (a line, several lines, an envelope, gzip or not), or a piece of a file cut at line ends. */
  readonly payload: Uint8Array
}

export interface SourceFault {
  /** Where reading goes on after what was refused. */
  readonly position: Position
  /** `rotated-away`: a file that was compressed or deleted before it was read. */
  readonly reason: 'bad-gzip' | 'bad-zstd' | 'bad-batch' | 'too-large' | 'rotated-away'
  readonly length: number
}

export interface SourceBatch {
  readonly partition: PartitionId
  readonly records: readonly SourceRecord[]
  /** What the source itself could not hand over (a gzip file that ends in the middle, a record over the limit). */
  readonly faults?: readonly SourceFault[]
  /** Wall time at which it was read, epoch ms, from the clock that the source was given. */
  readonly arrivedAt: EpochMs
  /** How far behind the newest record this partition is, where the source can tell. */
  readonly lag?: { readonly records: number } | { readonly ms: number }
  /** Partitions that are read to their end and followed by others: from this batch on nobody needs their positions. */
  readonly over?: readonly PartitionId[]
}

export type Positions = ReadonlyMap<PartitionId, Position>

export interface Source {
  /** For people and logs: `kafka topic access-logs at 127.0.0.1:9092`. No secret in it. */
  readonly description: string
  /** Whether every call of a key is always in the same partition (then a partition owns its keys' state). */
  readonly keyed: boolean
  /**
   * Starts after `positions` where given (they win over whatever the server has stored), else where the configuration says.
   * They are the reader's own and move with what it counts: a partition that leaves and comes back goes on after them.
   * Yields batches until `signal` aborts or the input ends; asks for no more while the reader is busy (back-pressure).
   * Throws StreamError SOURCE_UNREADABLE / SOURCE_LOST when it cannot go on by itself.
   */
  read(positions: Positions, signal: AbortSignal): AsyncIterable<SourceBatch>
  /** Partitions that this reader has now: known before their first record, so that none is overtaken. */
  partitions(): readonly PartitionId[]
  /**
   * Those that have left since this was last asked, be they back or not: meanwhile another reader may have gone on where our
   * positions are, so what was read of them and not counted is not ours to count. Absent where none ever leaves.
   */
  departed?(): readonly PartitionId[]
  /**
   * Exactly these partitions wait, all others go on: for a reader that merges by event time, of a partition far ahead of
   * the others. Nothing of a held partition is handed over, and nothing of it is lost. Absent where a source cannot.
   */
  hold?(partitions: readonly PartitionId[]): void
  /**
   * When the other side last answered, be it that there was nothing to read; undefined before that. A quiet stream and a dead
   * one bring the same. Absent where nobody can be asked.
   */
  heardAt?(): EpochMs | undefined
  /** How far back the stream can be read, ms; undefined where it does not say. Absent where nothing is kept for a time. */
  retainedMs?(): Promise<number | undefined>
  /** Tells the server how far the checkpoint is (Kafka commits; others need not). Never ahead of the checkpoint. */
  commit(positions: Positions): Promise<void>
  close(): Promise<void>
}

/** One whose partitions are shared out among several workers, and come and go. */
export interface SharedSource extends Source {
  /** Told what it has each time that changes, before anything of what is new is handed over: hold what is not ready. */
  onAssigned(tell: (partitions: readonly PartitionId[]) => void): void
  /** Of this partition goes on there: how far its last owner counted. Nobody has counted any of it: begins where it began. */
  goOn(partition: PartitionId, position: Position | undefined): void
}

/** What a source copes with by itself and a person may want to know. Holds no payload and no secret. */
export interface SourceEvent {
  /** info: it went on. warn: it coped, and something is wrong outside. */
  readonly level: 'info' | 'warn'
  readonly name:
    | 'partitionsAssigned'
    | 'positionMoved'
    | 'clientLogged'
    | 'readerRestarting'
    | 'batchPassedOver'
    | 'commitRefused'
    | 'readRetried'
    | 'iteratorRenewed'
    | 'shardsFound'
    | 'shardEnded'
    | 'shardForgotten'
    | 'positionOutrun'
    | 'fileAwaited'
    | 'fileRotated'
    | 'linesLost'
  readonly detail: string
}
