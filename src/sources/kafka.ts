/**
 * Apache Kafka through kafkajs, as a member of a consumer group.
 *
 * kafkajs pushes batches and this source hands them over only when asked, heartbeating while one waits, so that a slow
 * reader neither piles up memory nor loses its place in the group. Where reading goes on is ours, never the client's:
 * every partition's start is fixed before the first fetch (given position, else the group's, else the configured end).
 * With each later join kafkajs forgets all it has not committed, and begins where the group is: beyond what we have counted
 * where another member has read meanwhile, which is not ours, and else before it, which would count twice and is left out.
 *
 * kafkajs is no longer developed; nothing outside this file knows it.
 */
import assert from 'node:assert/strict'
import { type Consumer, type EachBatchPayload, Kafka, type KafkaMessage, type LogEntry, logLevel } from 'kafkajs'
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'
import { createHandoff, type Offer } from './handoff.ts'
import { readFetchesInBatches } from './kafka-fetch.ts'
import { greet } from './kafka-greeting.ts'
import { type BatchFault, type Piece, readPiece } from './kafka-piece.ts'
import { clientSecurity, type KafkaSecurity } from './kafka-security.ts'
import { isWithoutLeader, messageOf, type Reading, troubleOf, willPass } from './kafka-trouble.ts'
import { firstOf, isDone } from './patience.ts'
import type { Positions, SharedSource, SourceBatch, SourceEvent, SourceFault } from './source.ts'

export interface KafkaSettings {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly groupId: string
  /** Where a partition begins for which neither we nor the group have a position. */
  readonly from: 'latest' | 'earliest'
  readonly keyed: boolean
  readonly security?: KafkaSecurity
  /** After so long without a heartbeat the group gives our partitions to others; 10 s unless told. */
  readonly sessionTimeoutMs?: number
}

/** Of one fetch of a partition. */
interface Place {
  readonly partition: number
  /** Where its log ended. */
  readonly high: number
  readonly arrivedAt: EpochMs
}

interface PartitionOffset {
  readonly partition: number
  readonly offset: string
}

export interface KafkaSurroundings {
  readonly clock: Clock
  readonly onEvent?: (event: SourceEvent) => void
}

/**
 * When the last broker dies, kafkajs comes back as a new member, and the group waits for the old one until its session is
 * over: this long nothing is read. Shorter than the usual 30 s, since detection has 60; a heartbeat is sent ten times as often.
 */
const defaultSessionTimeoutMs = 10_000

/** How long the broker waits for news before it answers an empty fetch: also how long a resumed partition may wait. */
const fetchWaitMs = 250

/** A partition that is added to the topic is read this much later at most: well before its calls would be late. */
const metadataMaxAgeMs = 10_000

/** About ten seconds of trying inside kafkajs, then it starts its consumer anew; it does so for as long as it takes. */
const retry = { initialRetryTime: 200, maxRetryTime: 3_000, retries: 6 }

/** kafkajs's own, given beside the question whether it is to begin again: it would also after it was stopped, and for ever. */
const consumerRetries = 5

/** The last commit waits no longer for brokers that do not answer: the checkpoint has it all, and who stops us may be waiting. */
const lastCommitMs = 3_000

/** How long a partition or group may be without a broker that leads it: while one starts, or takes over from another. */
const leaderPatienceMs = 30_000

/** One fetch holds at most this much: with one more being worked on, the bound of what waits in memory. */
const maxFetchBytes = 16 * 1024 * 1024
const maxPartitionFetchBytes = 4 * 1024 * 1024

const asFault = ({ to, reason, length }: BatchFault): SourceFault => ({
  position: String(to + 1) as Position,
  ...{ reason, length },
})

export function kafkaSource(settings: KafkaSettings, { clock, onEvent = () => {} }: KafkaSurroundings): SharedSource {
  const { brokers, topic, groupId, from, keyed, security = {}, sessionTimeoutMs = defaultSessionTimeoutMs } = settings
  const where = `${topic} at ${brokers.join(', ')}`
  const reading: Reading = { topic, groupId, where, security }
  const heartbeatMs = sessionTimeoutMs / 10
  const kafka = new Kafka({
    clientId: 'weir',
    brokers: [...brokers],
    ...clientSecurity(security),
    retry,
    logLevel: logLevel.WARN,
    logCreator: () => entry => {
      onEvent({ level: 'warn', name: 'clientLogged', detail: sentence(entry) })
      if (entry.log.error === unknownTopic) void noteWhetherGone()
      if (entry.log.message.startsWith(offsetReset)) moved.add(Number(entry.log.partition))
    },
  })
  const handoff = createHandoff<SourceBatch>()
  /** Where each partition begins of which nothing was counted yet. */
  const starts = new Map<number, bigint>()
  /** The reader's, which move with what it has counted; and as they were when `starts` was found, which had them in mind. */
  let counted: Positions = new Map()
  let atStart: Positions = new Map()
  /** Where each partition goes on of which something was handed over; of one that went to another member nothing is kept. */
  const next = new Map<number, bigint>()
  /** Where each partition began of which something was handed over since the last join. */
  const begun = new Map<number, bigint>()
  /** Partitions of which the broker no longer had what we asked for, until something of them comes. */
  const moved = new Set<number>()
  let assigned: readonly number[] = []
  /** Partitions that went to another member since the reader last asked. */
  const departed = new Set<number>()
  let held: ReadonlySet<number> = new Set()
  let consumer: Consumer | undefined
  let hasJoined = false
  let tellAssigned: (partitions: readonly PartitionId[]) => void = () => {}
  let isLooking = false
  let heardAt: EpochMs | undefined
  /** The topic was deleted while we read it, and nothing of it has come since. */
  let isGone = false
  let isClosed = false
  /** Whether the reader wants no more. */
  let isLeaving = (): boolean => false

  const nameOf = (partition: number) => `${topic}/${partition}` as PartitionId
  const numberOf = (id: PartitionId) => (id.startsWith(`${topic}/`) ? Number(id.slice(topic.length + 1)) : Number.NaN)

  /** Ends quietly, wherever it is, when nobody waits for it any more. */
  async function start(positions: Positions, signal: AbortSignal): Promise<void> {
    assert(consumer === undefined, 'A source is read once')
    await greet(brokers, security, signal)
    if (signal.aborted) return
    const uncommitted = await findStarts(positions)
    if (signal.aborted) return
    // `fromBeginning` speaks only of partitions without a start: those added to the topic later, of which we want all.
    const joining = kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      maxWaitTimeInMs: fetchWaitMs,
      maxBytes: maxFetchBytes,
      maxBytesPerPartition: maxPartitionFetchBytes,
      metadataMaxAge: metadataMaxAgeMs,
      retry: { retries: consumerRetries, restartOnFailure: async () => !isClosed },
    })
    readFetchesInBatches()
    consumer = joining
    joining.on('consumer.group_join', ({ payload }) => joined(joining, payload.memberAssignment[topic] ?? []))
    joining.on('consumer.fetch', () => {
      heardAt = clock.now()
    })
    // Where the group has more members than partitions, there is nothing to fetch.
    joining.on('consumer.heartbeat', () => {
      if (assigned.length === 0) heardAt = clock.now()
    })
    joining.on('consumer.crash', ({ payload }) => {
      const passes = payload.restart || willPass(payload.error)
      if (passes) onEvent({ level: 'warn', name: 'readerRestarting', detail: payload.error.message })
      else handoff.end(lost(payload.error))
      if (passes && !payload.restart) void beginAgain(joining)
    })
    await joining.connect()
    if (signal.aborted) return joining.disconnect()
    await joining.subscribe({ topic, fromBeginning: true })
    if (signal.aborted) return joining.disconnect()
    await runIn(joining)
    // So that another member who inherits a partition before our first checkpoint starts where we did.
    const begins = uncommitted.filter(partition => assigned.includes(partition)).flatMap(each => startOf(each))
    if (!signal.aborted) await commitOffsets(begins)
  }

  const runIn = (joining: Consumer): Promise<void> =>
    joining.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: payload => handOver(payload) })

  /** Where kafkajs would not; what fails then is a crash like the one before. */
  async function beginAgain(joining: Consumer): Promise<void> {
    await clock.sleep(retry.maxRetryTime)
    if (!isClosed) await runIn(joining).catch(error => handoff.end(lost(error)))
  }

  /** Fills `starts` for every partition of the topic; answers those of which the group knows nothing. */
  async function findStarts(positions: Positions): Promise<readonly number[]> {
    const admin = kafka.admin()
    try {
      await admin.connect()
      const topics = await admin.listTopics()
      if (!topics.includes(topic)) throw noSuchTopic(topics)

      const [[ofGroup], ends] = await Promise.all([
        patiently(() => admin.fetchOffsets({ groupId, topics: [topic] })),
        patiently(() => admin.fetchTopicOffsets(topic)),
      ])
      const committed = new Map(ofGroup?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]))
      for (const { partition, low, high } of ends) {
        const given = positions.get(nameOf(partition))
        const stored = committed.get(partition) ?? -1n
        const start = given !== undefined ? BigInt(given) : stored >= 0n ? stored : undefined
        const log = { low: BigInt(low), high: BigInt(high) }
        if (start === undefined) starts.set(partition, from === 'latest' ? log.high : log.low)
        else starts.set(partition, within(partition, start, log))
      }
      counted = positions
      atStart = new Map(positions)
      return ends.map(({ partition }) => partition).filter(partition => (committed.get(partition) ?? -1n) < 0n)
    } catch (error) {
      throw troubleOf(error, 'SOURCE_UNREADABLE', reading)
    } finally {
      await admin.disconnect()
    }
  }

  /** For the calls that kafkajs does not try again while a partition's leader or the group's coordinator moves. */
  async function patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const until = clock.now() + leaderPatienceMs
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!isWithoutLeader(error) || clock.now() > until) throw error
        await clock.sleep(retry.initialRetryTime)
      }
    }
  }

  /**
   * A position outside the log: retention took what came next, or the topic was made anew or cut after a failover. Then
   * the nearest end that is there: reading a whole log again would count everything in it twice.
   */
  function within(partition: number, position: bigint, { low, high }: { low: bigint; high: bigint }): bigint {
    const start = position < low ? low : position > high ? high : position
    if (start !== position)
      onEvent({
        level: 'warn',
        name: 'positionMoved',
        detail: `${nameOf(partition)} holds records ${low} to ${high}; reading goes on at ${start} instead of ${position}`,
      })
    return start
  }

  /**
   * A topic that was deleted may come back under the same name, and our positions in it would then skip its beginning.
   * kafkajs does not know the ids that tell the two apart; that no topic of this name is there at all it does.
   */
  async function noteWhetherGone(): Promise<void> {
    if (isLooking || isGone || consumer === undefined) return
    isLooking = true
    const admin = kafka.admin()
    try {
      await admin.connect()
      isGone = !(await admin.listTopics()).includes(topic)
      if (isGone) beginAnew(consumer)
    } catch (error) {
      onEvent({ level: 'warn', name: 'clientLogged', detail: messageOf(error) })
    } finally {
      isLooking = false
      await admin.disconnect()
    }
  }

  function beginAnew(reading: Consumer): void {
    const detail = `Topic ${topic} was deleted; when it is there again it is read from its beginning`
    onEvent({ level: 'warn', name: 'positionMoved', detail })
    begun.clear()
    starts.clear()
    atStart = new Map(counted)
    for (const partition of assigned) {
      next.set(partition, 0n)
      reading.seek({ topic, partition, offset: '0' })
    }
  }

  function joined(joining: Consumer, partitions: readonly number[]): void {
    for (const partition of assigned) {
      if (partitions.includes(partition)) continue
      next.delete(partition)
      departed.add(partition)
    }
    begun.clear()
    assigned = [...partitions].sort((a, b) => a - b)
    if (!hasJoined) for (const each of assigned.flatMap(startOf)) joining.seek({ topic, ...each })
    hasJoined = true
    tellAssigned(assigned.map(nameOf))
    pauseHeld(joining)
    onEvent({ level: 'info', name: 'partitionsAssigned', detail: assigned.map(nameOf).join(', ') || 'none' })
  }

  /** Offers what was fetched, piece by piece, and keeps our place in the group until somebody takes each. */
  async function handOver({ batch, heartbeat, resolveOffset, isStale }: EachBatchPayload): Promise<void> {
    const { partition, messages } = batch
    const high = Number(batch.highWatermark)
    const place: Place = { partition, high, arrivedAt: clock.now() }
    const ours = goesOnAt(partition)
    // Not sought: what is sought and not fetched before the partition goes to another member waits for its return.
    if (ours <= high && Number(batch.lastOffset()) < ours) return resolveOffset((ours - 1n).toString())
    for (let at = 0; at < messages.length; ) {
      const from = beginOf(place)
      const piece = await readPieceOrEnd(messages, { begin: at, from, partition: nameOf(partition) })
      if (piece === undefined) return
      const isLast = piece.end === messages.length
      let wasTaken = false
      const offer = handoff.offer(() => {
        // Not resolved, so it is fetched again once the partition is no longer held, or from where it was sought or counted.
        if (held.has(partition) || isStale() || beginOf(place) !== from) return undefined
        wasTaken = true
        resolveOffset(piece.last)
        return take(place, piece, Number(isLast ? batch.lastOffset() : piece.last))
      })
      await keepPlaceUntil(offer, heartbeat)
      if (!wasTaken) return
      at = piece.end
    }
  }

  /**
   * Where the partition goes on by our own account. When it comes back that is what was counted of it, not what was handed
   * over: the reader drops what waits of a partition that leaves. Asked for late, since what waits may be counted until then.
   */
  function goesOnAt(partition: number): bigint {
    const id = nameOf(partition)
    const position = counted.get(id)
    const own = position === undefined || position === atStart.get(id) ? undefined : BigInt(position)
    return next.get(partition) ?? own ?? starts.get(partition) ?? 0n
  }

  /** Beyond the end of its log only when that was cut or made anew. */
  function beginOf({ partition, high }: Place): number {
    const from = Number(goesOnAt(partition))
    return from > high ? high : from
  }

  async function readPieceOrEnd(messages: readonly KafkaMessage[], from: Parameters<typeof readPiece>[1]) {
    try {
      return await readPiece(messages, from)
    } catch (error) {
      handoff.end(lost(error))
      return undefined
    }
  }

  function take(place: Place, { records, faults }: Piece, last: number): SourceBatch {
    const { partition, high, arrivedAt } = place
    isGone = false
    const from = goesOnAt(partition)
    const begin = from > BigInt(high) ? within(partition, from, { low: 0n, high: BigInt(high) }) : from
    if (!begun.has(partition)) begun.set(partition, begin)
    const end = Math.max(last + 1, Number(begin))
    next.set(partition, BigInt(end))
    const first = records[0]?.offset ?? last + 1
    if (moved.delete(partition) && first > Number(begin))
      within(partition, begin, { low: BigInt(first), high: BigInt(high) })
    for (const fault of faults) tellPassedOver(partition, fault)
    return {
      partition: nameOf(partition),
      records,
      ...(faults.length > 0 && { faults: faults.map(asFault) }),
      arrivedAt,
      lag: { records: Math.max(0, high - end) },
    }
  }

  function tellPassedOver(partition: number, { from, to, because }: BatchFault): void {
    const detail = `${nameOf(partition)}: records ${from} to ${to} were passed over, their batch cannot be read: ${because}`
    onEvent({ level: 'warn', name: 'batchPassedOver', detail })
  }

  async function keepPlaceUntil(offer: Offer, heartbeat: () => Promise<void>): Promise<void> {
    let waiting = true
    offer.settled.then(() => {
      waiting = false
    })
    while (waiting) {
      await firstOf(offer.settled, heartbeatMs)
      try {
        await heartbeat()
      } catch (error) {
        // The group is rebalancing: kafkajs joins again, and the piece, if nobody took it meanwhile, is fetched again.
        offer.withdraw()
        throw error
      }
    }
  }

  function startOf(partition: number): readonly PartitionOffset[] {
    const offset = starts.get(partition)
    return offset === undefined ? [] : [{ partition, offset: offset.toString() }]
  }

  function pauseHeld(joining: Consumer): void {
    const partitions = { held: [] as number[], free: [] as number[] }
    for (const partition of assigned) partitions[held.has(partition) ? 'held' : 'free'].push(partition)
    joining.pause([{ topic, partitions: partitions.held }])
    joining.resume([{ topic, partitions: partitions.free }])
  }

  /**
   * Only what was handed over since the last join: before it a partition may have been another member's, who has read on
   * and committed, and a checkpoint that still says where we left it would take the group back there.
   */
  async function commit(positions: Positions): Promise<void> {
    const offsets = [...positions].flatMap(([id, offset]) => {
      const partition = numberOf(id)
      const from = begun.get(partition)
      return from !== undefined && BigInt(offset) > from ? [{ partition, offset }] : []
    })
    await commitOffsets(offsets)
  }

  /** The checkpoint's positions win at every start, so a commit that fails costs nothing but a gauge's truth: an event. */
  async function commitOffsets(offsets: readonly PartitionOffset[]): Promise<void> {
    if (offsets.length === 0) return
    const committing = consumer
      ?.commitOffsets(offsets.map(offset => ({ topic, ...offset })))
      .catch(error => onEvent({ level: 'warn', name: 'commitRefused', detail: messageOf(error) }))
    if (committing !== undefined) await (isLeaving() ? firstOf(committing, lastCommitMs) : committing)
  }

  function noSuchTopic(topics: readonly string[]): StreamError {
    const others = topics.filter(name => !name.startsWith('__')).sort()
    return new StreamError('SOURCE_UNREADABLE', `There is no Kafka topic ${where}`, {
      retry: 'later',
      hint: others.length === 0 ? 'The broker has no topics yet' : `Set source.topic; there are: ${listOf(others)}`,
    })
  }

  const lost = (error: unknown): StreamError => troubleOf(error, 'SOURCE_LOST', reading)

  return {
    description: `kafka topic ${where} (group ${groupId})`,
    keyed,
    async *read(positions, signal) {
      isLeaving = () => signal.aborted
      if (!(await isDone(start(positions, signal), signal))) return
      for (;;) {
        const batch = await handoff.take(signal)
        if (batch === undefined) return
        yield batch
      }
    },
    partitions: () => assigned.map(nameOf),
    departed() {
      const left = [...departed].map(nameOf)
      departed.clear()
      return left
    },
    heardAt: () => heardAt,
    hold(partitions) {
      held = new Set(partitions.map(numberOf))
      if (!consumer) return
      try {
        pauseHeld(consumer)
      } catch {
        // Between a crash and the next join there is nothing to pause; the join looks at `held` itself.
      }
    },
    onAssigned(tell) {
      tellAssigned = tell
    },
    goOn(id, position) {
      const partition = numberOf(id)
      if (position !== undefined) next.set(partition, BigInt(position))
      else if (!next.delete(partition)) return
      begun.delete(partition)
      const offset = goesOnAt(partition).toString()
      if (assigned.includes(partition)) consumer?.seek({ topic, partition, offset })
    },
    commit,
    // The reading may have ended long before: until here the group keeps our place, so that a last commit is accepted.
    async close() {
      isClosed = true
      const disconnected = consumer?.disconnect()
      handoff.end()
      await disconnected
    },
  }
}

function sentence({ namespace, log }: LogEntry): string {
  const cause = typeof log.error === 'string' ? `: ${log.error}` : ''
  return `${namespace}: ${log.message}${cause}`
}

/** As kafkajs words UNKNOWN_TOPIC_OR_PARTITION: of a topic that was deleted, or of one whose leader is just moving. */
const unknownTopic = 'This server does not host this topic-partition'

/** As kafkajs says that it goes to the oldest record there is, having been told that ours is not there. */
const offsetReset = 'Offset out of range, resetting'

/** Twenty are enough to find a misspelt name in. */
function listOf(names: readonly string[]): string {
  return names.length <= 20 ? names.join(', ') : `${names.slice(0, 20).join(', ')} and ${names.length - 20} more`
}
