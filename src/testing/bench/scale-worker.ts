/**
 * One size of fleet, a process of its own, so that its memory is its own: so many keys with a week of history each, some of
 * which call. Prints what that costs: memory, processor time a call, checkpoints and coming back from one.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

const [asked] = process.argv.slice(2)
if (asked === undefined) throw new Error('usage: scale-worker SETTINGS')
console.log(JSON.stringify(await measure(JSON.parse(asked) as ScaleAsked)))

async function measure({ known, active, callsInSecond, allOpen, withCheckpoint }: ScaleAsked): Promise<ScaleMeasured> {
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
  return {
    run(seconds: number): number {
      let calls = 0
      for (const until = second + seconds; second < until; second++) {
        const start = from + second * SECOND_MS
        clearBatch(batch)
        for (let call = 0; call < callsInSecond; call++) {
          const row = nextRow(batch)
          batch.key[row] = (turn++ % active) * stride
          batch.time[row] = start + Math.floor((call * SECOND_MS) / callsInSecond)
          batch.status[row] = 200
          batch.latencyMs[row] = 42
          batch.bytes[row] = 1_000
        }
        calls += batch.length
        advance(engine, {
          ...{ kind: 'batch', partition: 'stream/0' as PartitionId, batch, from: 0, to: batch.length },
          ...{ panesFrom: 0, panesTo: 0, arrivedAt: start + SECOND_MS - 1 },
        })
        advance(engine, { kind: 'tick', at: start + SECOND_MS })
      }
      return calls
    },
  }
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
