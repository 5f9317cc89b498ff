/**
 * One size of fleet, a process of its own, so that its memory is its own: so many keys with a week of history each, some of
 * which call. Prints what that costs: memory, processor time a call, checkpoints and coming back from one.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { detectors } from '../../../detectors/index.ts'
import { type CallBatch, clearBatch, createBatch, nextRow } from '../../core/call-batch.ts'
import { weirSchema } from '../../core/config/config.ts'
import { advance, beginSnapshot, createEngine, type Engine, engineSettings, restore } from '../../core/engine.ts'
import { createKeyIndex, type KeyIndex } from '../../core/formats/key-index.ts'
import { coverMinute } from '../../core/state/coverage.ts'
import { CALLS_AT, makeRow, RING_CALLS, SLOT, SPREADS_AT, write } from '../../core/state/known-keys.ts'
import { beginKey } from '../../core/state/live-keys.ts'
import { createOwner, SHARED_OWNER } from '../../core/state/owner.ts'
import { byteAt, bytesOf } from '../../core/state/slab.ts'
import { callsOf } from '../../core/state/slot-code.ts'
import { DAY_MS, MINUTE_MS, type PartitionId, SECOND_MS, SLOT_MS } from '../../core/vocabulary.ts'
import { openCheckpoints } from '../../stores/checkpoint.ts'
import { savedKeys, savedState } from '../../worker/saved-state.ts'
import type { ScaleAsked, ScaleMeasured } from './scale.ts'

const from = Date.UTC(2026, 2, 9, 10)
const warmUpSeconds = 70
const measuredSeconds = 60
/** Beside those, so that five minutes of panes are there; and for so long a checkpoint each second. */
const pauseWarmUpSeconds = 240
const pausesSeconds = 5

const [asked] = process.argv.slice(2)
if (asked === undefined) throw new Error('usage: scale-worker SETTINGS')
console.log(JSON.stringify(await measure(JSON.parse(asked) as ScaleAsked)))

async function measure(of: ScaleAsked): Promise<ScaleMeasured> {
  const { known, active, callsInSecond, allOpen, withCheckpoint, withPauses } = of
  const base = residentBytes()
  // Each is asked at every look and finds nothing, whatever it is asked: what incidents cost is another question.
  const asked = detectors.map(({ name, thresholds }) => {
    const highest = Object.entries(thresholds).map(([threshold, { max }]) => [threshold, max] as const)
    return [name, { opens: true, ...Object.fromEntries(highest) }] as const
  })
  const configured = allOpen ? Object.fromEntries(asked) : {}
  const settings = engineSettings(weirSchema.parse({ mode: 'observe', detectors: configured }), {})
  const engine = createEngine(settings)
  const table = createKeyIndex(1)
  fill(engine, table, known)
  const stream = createStream(engine, table, { active, stride: Math.floor(known / active), callsInSecond })
  stream.run(warmUpSeconds)
  const before = process.cpuUsage()
  const calls = stream.run(measuredSeconds)
  const { user, system } = process.cpuUsage(before)
  globalThis.gc?.()
  const resident = residentBytes()
  const measured = {
    nsACall: ((user + system) * 1_000) / calls,
    residentBytes: resident,
    keyBytes: (resident - base) / known,
  }
  if (withPauses) return { ...measured, ...(await pauses(engine, stream)) }
  return withCheckpoint ? { ...measured, ...(await checkpoints(engine, stream.run)) } : measured
}

/** All memory of the process that is not swapped out, where the system says so; else what node takes for it. */
function residentBytes(): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1_024
  } catch {
    return process.memoryUsage.rss()
  }
}

/** A week of every slot, as learning would have left it: learning a million keys' weeks would take hours. */
function fill(engine: Engine, table: KeyIndex, known: number): void {
  const owner = createOwner()
  engine.state.owners.set(SHARED_OWNER, owner)
  for (let minute = (from - 7 * DAY_MS) / MINUTE_MS; minute < from / MINUTE_MS; minute++)
    coverMinute(owner.coverage, minute)
  for (let index = 0; index < known; index++) {
    const id = `k${String((index * 7_919) % 1_000_003_337).padStart(19, '0')}`
    const bytes = Buffer.from(id)
    table.numberOf(bytes, 0, bytes.length)
    const key = beginKey(owner, id, from - 7 * DAY_MS)
    let ringCalls = 0
    for (let day = 0; day < 7; day++) {
      const row = makeRow(owner.keys, key, day)
      const cells = bytesOf(owner.keys.rows, row)
      const at = byteAt(owner.keys.rows, row)
      for (let slot = 0; slot < 288; slot++) {
        // Usually more than any key of the bench calls: what incidents cost is another question.
        const code = 150 + ((index * 31 + slot * 7 + day) % 20)
        cells[at + CALLS_AT + slot] = code
        ringCalls += callsOf(code)
      }
      cells.fill(0x33, at + SPREADS_AT, at + SPREADS_AT + 144)
    }
    write(owner.keys, key, SLOT, from / SLOT_MS)
    write(owner.keys, key, RING_CALLS, ringCalls)
  }
}

interface StreamShape {
  readonly active: number
  /** Every so manieth known key calls. */
  readonly stride: number
  readonly callsInSecond: number
}

/** The active keys take turns, so that each second has so many calls. Where there are fewer keys, a key calls several times. */
function createStream(engine: Engine, table: KeyIndex, { active, stride, callsInSecond }: StreamShape) {
  const batch: CallBatch = createBatch(table, 65_536)
  let second = 0
  let turn = 0
  const add = (start: number, call: number): void => {
    const row = nextRow(batch)
    batch.key[row] = (turn++ % active) * stride
    batch.time[row] = start + Math.floor((call * SECOND_MS) / callsInSecond)
    batch.status[row] = 200
    batch.latencyMs[row] = 42
    batch.bytes[row] = 1_000
  }
  const give = (arrivedAt: number): void => {
    advance(engine, {
      ...{ kind: 'batch', partition: 'stream/0' as PartitionId, batch, from: 0, to: batch.length },
      ...{ panesFrom: 0, panesTo: 0, arrivedAt },
    })
  }
  return {
    run(seconds: number): number {
      let calls = 0
      for (const until = second + seconds; second < until; second++) {
        const start = from + second * SECOND_MS
        clearBatch(batch)
        for (let call = 0; call < callsInSecond; call++) add(start, call)
        calls += batch.length
        give(start + SECOND_MS - 1)
        advance(engine, { kind: 'tick', at: start + SECOND_MS })
      }
      return calls
    },
    /** The next second, a tenth of it at a time, as a source brings it. */
    *tenths(): Generator<void> {
      const start = from + second++ * SECOND_MS
      for (let tenth = 0; tenth < 10; tenth++) {
        clearBatch(batch)
        for (let call = tenth; call < callsInSecond; call += 10) add(start + tenth * 100, Math.floor(call / 10))
        give(start + tenth * 100 + 99)
        if (tenth === 9) advance(engine, { kind: 'tick', at: start + SECOND_MS })
        yield
      }
    },
  }
}

type Calls = ReturnType<typeof createStream>

/** Real time: a tenth of a second of calls ten times a second. */
async function pauses(engine: Engine, stream: Calls): Promise<Pick<ScaleMeasured, 'pauseMs' | 'callsPauseMs'>> {
  stream.run(pauseWarmUpSeconds)
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-scale-'))
  try {
    const stores = await openCheckpoints(folder)
    const write = async (): Promise<void> => {
      const { state, slabs, keys: later } = beginSnapshot(engine)
      await stores.write({ state: { engine: state }, slabs, later, positions: {}, writtenAt: from }).written
    }
    // Once, so that all of it is compiled.
    await write()
    await longestPause(stream, async () => undefined)
    const callsPauseMs = await longestPause(stream, async () => undefined)
    const pauseMs = await longestPause(stream, write)
    await stores.close()
    return { pauseMs, callsPauseMs }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * While `beside` is begun anew each second, at another tenth of it each time. By the processor's time where that is less than what
 * passed: who shares the machine is no part of it.
 */
async function longestPause(stream: Calls, beside: () => Promise<void>): Promise<number> {
  let longest = 0
  const measured = () => ({ passedMs: performance.now(), ...process.cpuUsage() })
  let last = measured()
  let isOver = false
  const probe = (): void => {
    const now = measured()
    const workedMs = (now.user + now.system - last.user - last.system) / 1_000
    longest = Math.max(longest, Math.min(now.passedMs - last.passedMs, workedMs))
    last = now
    if (!isOver) setImmediate(probe)
  }
  setImmediate(probe)
  let begun: Promise<void> = Promise.resolve()
  for (let second = 0; second < pausesSeconds; second++) {
    let tenth = 0
    for (const _ of stream.tenths()) {
      if (tenth++ === (second * 3) % 10) begun = begun.then(beside)
      await sleep(100)
    }
  }
  await begun
  isOver = true
  return longest
}

async function checkpoints(engine: Engine, run: (seconds: number) => number) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-scale-'))
  try {
    const stores = await openCheckpoints(folder)
    const write = async (): Promise<number> => {
      const at = performance.now()
      const { state, slabs, keys: later } = beginSnapshot(engine)
      await stores.write({ state: { engine: state }, slabs, later, positions: {}, writtenAt: from }).written
      return performance.now() - at
    }
    const firstCheckpointMs = await write()
    run(5)
    const nextCheckpointMs = await write()
    await stores.close()
    const at = performance.now()
    const again = await openCheckpoints(folder)
    const saved = await again.read()
    if (saved === undefined) throw new Error('there should be a checkpoint')
    const { state, slabs, later } = saved.snapshot
    restore(engine.settings, { state: savedState(state).engine, slabs, keys: savedKeys(later) })
    const restartMs = performance.now() - at
    await again.close()
    return { firstCheckpointMs, nextCheckpointMs, restartMs }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
