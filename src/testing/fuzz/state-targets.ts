/**
 * What Weir has written itself and reads again: each file as its writer makes it, and what a disk, a crash or a hand may have
 * made of it. It is read, or refused with the error that its reader promises; and what is read was written.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StreamError } from '../../core/errors.ts'
import { NO_OTHERS } from '../../core/incident/fleet-sums.ts'
import type { ApiKeyId, PartitionId } from '../../core/vocabulary.ts'
import { openAudit, readAudit } from '../../stores/audit.ts'
import { verifyAudit } from '../../stores/audit-verify.ts'
import { lookAtCheckpoint, openCheckpoints, peekCheckpoint } from '../../stores/checkpoint.ts'
import { openEffectJournal, readEffectJournal } from '../../stores/effect-journal.ts'
import { changesOf, findIncident, openIncidentLog, standingsIn } from '../../stores/incident-log.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import { addLabel, labelsPath, readLabels } from '../../stores/labels.ts'
import { openLimitsJournal, peekLimitsJournal } from '../../stores/limits-journal.ts'
import { openRecording, segmentName } from '../../stores/recording.ts'
import type { RecordedEntry, SegmentHead } from '../../stores/recording-entry.ts'
import { findRecording } from '../../stores/recording-reader.ts'
import { openThrottleSlots } from '../../stores/throttle-slots.ts'
import { openUndelivered, readUndelivered, undeliveredFolder } from '../../stores/undelivered.ts'
import { createFleetExchange } from '../../worker/fleet-exchange.ts'
import { alert, at, explanation, incidentId, throttle } from '../../worker/testing-events.ts'
import type { FuzzTarget } from './target.ts'

const keyId = 'key_a' as ApiKeyId
const promised = ['CHECKPOINT_DAMAGED', 'SOURCE_UNREADABLE', 'NOTHING_READ']

interface StateFile {
  readonly name: string
  readonly share: number
  /** Writes in the folder; answers which of its files is to be damaged. */
  readonly write: (folder: string) => Promise<string>
  /** What is read, to be compared, after the file was damaged. */
  readonly read: (folder: string) => Promise<unknown>
  /** Which law it breaks that this was read. `isWhole`: nothing was damaged. */
  readonly law?: (told: unknown, isWhole: boolean) => string | undefined
}

/** A folder with the file as it was written; inputs take the file's place, one after the other. */
function stateTarget({ name, share, write, read, law }: StateFile): FuzzTarget {
  let [folder, path, whole] = ['', '', Buffer.alloc(0)]
  const told = async (): Promise<unknown> => {
    try {
      return await read(folder)
    } catch (error) {
      if (!(error instanceof StreamError && promised.includes(error.code))) throw error
      return `${error.code}: ${error.message.replaceAll(folder, '')}`
    }
  }
  return {
    name,
    share,
    async prepare() {
      folder = await mkdtemp(join(tmpdir(), 'weir-fuzz-'))
      path = join(folder, await write(folder))
      whole = await readFile(path)
      return () => rm(folder, { recursive: true, force: true })
    },
    valid: () => whole,
    async judge(input) {
      await writeFile(path, input)
      const one = await told()
      const broken = law?.(one, input.equals(whole))
      if (broken !== undefined) return broken
      return JSON.stringify(one) === JSON.stringify(await told()) ? undefined : 'it is read otherwise the second time'
    },
  }
}

const limits = (rateLimit: number) => ({ rateLimit, burstLimit: 10 })
const entries: readonly JournalEntry[] = [
  { kind: 'intent', at, effect: throttle },
  { kind: 'plan-changing', at, effectId: throttle.id, keyId, planId: 'p', before: limits(100.25), after: limits(5) },
  { kind: 'plan-set', at, effectId: throttle.id, keyId, planId: 'p' },
  {
    kind: 'outcome',
    at,
    effectId: throttle.id,
    outcome: { kind: 'applied', before: limits(100.25), after: limits(5) },
  },
  {
    kind: 'intent',
    at,
    effect: {
      ...alert,
      explanation: { ...explanation, current: { ...explanation.current, callsPerMinute: Number.NaN } },
    },
  },
]

const files: readonly StateFile[] = [
  {
    ...{ name: 'checkpoint', share: 3 },
    async write(folder) {
      const checkpoints = await openCheckpoints(folder)
      for (const writtenAt of [1, 2])
        await checkpoints.write({
          ...{ slabs: new Map(), writtenAt, positions: { 'logs/0': String(writtenAt) } },
          state: { keys: new Map([['k1', Float64Array.of(1, 2.5)]]) },
        }).written
      await checkpoints.close()
      return (
        (await readdir(folder))
          .filter(name => name.startsWith('checkpoint-'))
          .sort()
          .at(-1) ?? ''
      )
    },
    async read(folder) {
      const looked = await lookAtCheckpoint(folder)
      if (looked === undefined || 'unreadable' in looked) throw new Error('the checkpoint before it is not found')
      return (await peekCheckpoint(folder))?.snapshot.writtenAt
    },
    law(told, isWhole) {
      if (typeof told === 'string') return /format|Node\.js/.test(told) && !isWhole ? undefined : told
      return told === (isWhole ? 2 : 1) ? undefined : `the state of ${told} was read`
    },
  },
  {
    ...{ name: 'effect-journal', share: 6 },
    async write(folder) {
      const journal = await openEffectJournal(folder)
      for (const entry of entries) await journal.append([entry])
      await journal.close()
      return 'effects.ndjson'
    },
    read: async folder => (await readEffectJournal(folder)).recovered,
    law(told, isWhole) {
      if (!Array.isArray(told)) return isWhole ? String(told) : undefined
      const known = new Set(entries.map(entry => JSON.stringify(entry)))
      const strange = told.find(entry => !known.has(JSON.stringify(entry)))
      if (strange !== undefined) return `nobody wrote ${JSON.stringify(strange)}`
      return isWhole && told.length !== entries.length
        ? `${told.length} of ${entries.length} entries were read`
        : undefined
    },
  },
  {
    ...{ name: 'incident-log', share: 6 },
    async write(folder) {
      const log = await openIncidentLog(folder, failure => {
        throw failure
      })
      for (const phase of ['open', 'mitigated', 'recovering', 'closed'] as const) log.record({ ...explanation, phase })
      log.record({ ...explanation, incidentId: 'key_b#1', keyId: 'key_b' as ApiKeyId })
      await log.close()
      return 'incidents.ndjson'
    },
    async read(folder) {
      const [one, other] = [await standingsIn([folder]), await findIncident(folder, incidentId)]
      return [[...one], other, await changesOf(folder, keyId), await changesOf(folder, 'key_b')]
    },
  },
  {
    ...{ name: 'labels', share: 4 },
    async write(folder) {
      const label = { at, incidentId, keyId, kind: explanation.kind, from: at - 9_000, to: at, note: 'ours' }
      await addLabel(folder, { ...label, verdict: 'true' })
      await addLabel(folder, { ...label, incidentId: 'key_a#2', verdict: 'false-alarm' })
      return 'labels.ndjson'
    },
    read: folder => readLabels(labelsPath(folder)),
  },
  {
    ...{ name: 'limits-journal', share: 4 },
    async write(folder) {
      const journal = await openLimitsJournal(folder)
      await journal.append({ kind: 'apply', id: 'a1', at, by: 'ann', file: 'limits.yaml', digest: 'd' })
      await journal.append({
        kind: 'changing',
        id: 'a1',
        at,
        planId: 'p',
        isUndo: false,
        before: null,
        after: limits(5),
      })
      await journal.append({ kind: 'changed', id: 'a1', at, planId: 'p', isUndo: false })
      await journal.close()
      return join('limits', 'limits.ndjson')
    },
    read: folder => peekLimitsJournal(folder),
  },
  {
    ...{ name: 'audit-log', share: 4 },
    async write(folder) {
      const audit = await openAudit(folder, failure => {
        throw failure
      })
      for (const change of ['throttle', 'restore-half', 'restore-full'] as const)
        await audit.record({
          ...{ at, by: 'weir', change, keyId, planId: 'p', from: limits(100), to: limits(5), result: 'applied' },
          because: undefined,
        })
      await audit.close()
      return 'audit-2026-11.ndjson'
    },
    async read(folder) {
      const reports = await verifyAudit([folder])
      const told = reports.map(({ entries, breaches, torn }) => ({
        entries,
        breaches: breaches.length,
        torn: torn.length,
      }))
      return { told, read: (await readAudit(folder, () => true)).length }
    },
    law(said, isWhole) {
      if (typeof said !== 'object' || said === null || !('told' in said)) return String(said)
      const isGood = JSON.stringify(said.told) === '[{"entries":3,"breaches":0,"torn":0}]'
      return isWhole && !isGood ? `a whole log is said to be broken: ${JSON.stringify(said)}` : undefined
    },
  },
  {
    ...{ name: 'audit-head', share: 1 },
    async write(folder) {
      const audit = await openAudit(folder, failure => {
        throw failure
      })
      await audit.record({
        ...{
          at,
          by: 'weir',
          change: 'throttle',
          keyId,
          planId: 'p',
          from: limits(9),
          to: limits(5),
          result: 'applied',
        },
        because: undefined,
      })
      await audit.close()
      return 'audit-head.json'
    },
    read: async folder => (await verifyAudit([folder])).map(({ entries, breaches }) => [entries, breaches.length]),
  },
  {
    ...{ name: 'undelivered', share: 4 },
    async write(folder) {
      const store = await openUndelivered(folder)
      await store.keep({
        effect: { ...alert, id: 'key_a#1/alert-0', decidedAt: at - 1 },
        givenUpAt: at,
        because: 'SNS is away',
      })
      await store.keep({ effect: alert, givenUpAt: at, because: 'SNS is away' })
      return join('undelivered', (await readdir(undeliveredFolder(folder))).sort().at(-1) ?? '')
    },
    async read(folder) {
      const { letters, damaged } = await readUndelivered(folder)
      return [letters.map(({ effect }) => effect.id), damaged.length]
    },
    law(told, isWhole) {
      const right = isWhole ? [['key_a#1/alert-0', alert.id], 0] : [['key_a#1/alert-0'], 1]
      return JSON.stringify(told) === JSON.stringify(right) ? undefined : `${JSON.stringify(told)} was read`
    },
  },
  {
    ...{ name: 'throttle-slots', share: 2 },
    async write(folder) {
      const slots = await openThrottleSlots(folder, { most: 3, partition: 'logs/0' as PartitionId, id: 'one' })
      await slots.take(keyId)
      return 'slot-1'
    },
    async read(folder) {
      const slots = await openThrottleSlots(folder, { most: 3, partition: 'logs/0' as PartitionId, id: 'one' })
      const others = await openThrottleSlots(folder, { most: 3, partition: 'logs/1' as PartitionId, id: 'two' })
      const took = [
        await others.take('key_b' as ApiKeyId),
        await others.take('key_c' as ApiKeyId),
        await others.take('key_d' as ApiKeyId),
      ]
      await others.giveBackAllBut(() => false)
      await slots.giveBackAllBut(() => true)
      return took
    },
    // What is in a slot says whose it is; that it is taken its being there does.
    law: told =>
      JSON.stringify(told) === '[true,true,false]' || JSON.stringify(told) === '[true,true,true]'
        ? undefined
        : `${told}`,
  },
  {
    ...{ name: 'recording', share: 3 },
    async write(folder) {
      const recording = await openRecording({
        ...{ directory: folder, maxBytes: 1_000_000 },
        stopped: because => {
          throw new Error(because)
        },
      })
      recording.begin({ place: { life: 'l', input: 0 }, startedAt: at } as SegmentHead, { keys: new Map([['k1', 1]]) })
      recording.add(
        { kind: 'input', input: { kind: 'tick', now: at }, decided: undefined } as unknown as RecordedEntry,
        100,
      )
      recording.add({ kind: 'closed' }, 10)
      await recording.close()
      return segmentName(1)
    },
    async read(folder) {
      const { segments, headless } = await findRecording(folder)
      const parts: string[] = []
      for (const segment of segments) for await (const part of segment.read()) parts.push(part.kind)
      return [parts, headless]
    },
    law: (told, isWhole) =>
      isWhole && JSON.stringify(told) !== '[["state","entries"],[]]'
        ? `a whole one is ${JSON.stringify(told)}`
        : undefined,
  },
]

/** Of another worker's file in a directory that all share: its sums, or nothing. */
const board: FuzzTarget = {
  name: 'fleet-board',
  share: 3,
  valid: seed =>
    Buffer.from(
      JSON.stringify({ at: 7, parts: { [`t/${seed % 3}`]: { ...NO_OTHERS, calls: seed % 999, keys: 1, parts: 1 } } }),
    ),
  async judge(input) {
    const stop = new AbortController()
    const troubles: string[] = []
    const heard: unknown[] = []
    let seconds = 0
    const clock = {
      now: () => 1_000 * seconds,
      async sleep() {
        if (++seconds > 2) stop.abort()
      },
    }
    const read = async () => new Map([['other.json', input.toString()]])
    const exchange = createFleetExchange(
      { read, write: async () => {}, remove: async () => {} },
      { clock, troubled: because => troubles.push(because) },
    )
    exchange.join('t/9' as PartitionId, { sums: () => NO_OTHERS, take: async others => void heard.push(others.sums) })
    await exchange.run(stop.signal)
    if (troubles.length > 0) return `it troubled whoever reads it: ${troubles[0]}`
    if (heard.length !== 2) return `its reader was told ${heard.length} times`
    return undefined
  },
}

export const stateTargets: readonly FuzzTarget[] = [...files.map(stateTarget), board]
