/** Whatever the world brings in whatever order, a recording of it leads to the same decisions and the same states. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KeyTable } from '../core/call-batch.ts'
import { tenantsSchema } from '../core/config/config.ts'
import { advance, createEngine } from '../core/engine.ts'
import type { Decisions, EngineInput } from '../core/engine-input.ts'
import { batchOf, type Call, obeyed, settingsOf, steady, TEN } from '../core/testing-stream.ts'
import { openRecording } from '../stores/recording.ts'
import { findRecording } from '../stores/recording-reader.ts'
import { replayRecording } from './recorded-replay.ts'
import { createRecorder, decisionsText } from './recorder.ts'

const bursts = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'hash:0123456789abcdef'),
    from: fc.integer({ min: 0, max: 400_000 }),
    seconds: fc.integer({ min: 1, max: 90 }),
    perSecond: fc.constantFrom(0.5, 1, 3, 60),
    status: fc.constantFrom(200, 200, 404, 429, 503),
  }),
  { minLength: 1, maxLength: 10 },
)
const world = fc.record({
  bursts,
  keyed: fc.boolean(),
  delayMs: fc.array(fc.integer({ min: 0, max: 29_000 }), { minLength: 1, maxLength: 20 }),
  partitions: fc.integer({ min: 1, max: 4 }),
  batchMs: fc.constantFrom(300, 1_000, 3_700),
  answers: fc.constantFrom('at once', 'with the next batch', 'refused'),
})
type World = typeof world extends fc.Arbitrary<infer T> ? T : never

const { tenants } = tenantsSchema.parse({ tenants: { two: { keys: ['a', 'c'] }, calm: { keys: ['b'], exempt: true } } })

/** Batches as they arrive, a tick after each; half way the partitions change, and then who owns which keys. */
function inputsOf({ bursts, delayMs, partitions, batchMs }: World): EngineInput[] {
  const keys: KeyTable = { ids: [] }
  const arriving = new Map<number, Map<string, Call[]>>()
  bursts
    .flatMap(({ key, from, ...burst }) => steady(key, { ...burst, from: TEN + from }))
    .forEach((call, index) => {
      const at = Math.ceil((call.at + delayMs[index % delayMs.length]!) / batchMs) * batchMs
      const partition = `t/${index % partitions}`
      const batches = arriving.get(at) ?? new Map<string, Call[]>()
      batches.set(partition, [...(batches.get(partition) ?? []), call])
      arriving.set(at, batches)
    })
  const times = [...arriving.keys()].sort((one, other) => one - other)
  const all = Array.from({ length: partitions }, (_, index) => `t/${index}`)
  return times.flatMap((at, index): EngineInput[] => [
    ...[...(arriving.get(at) ?? [])].map(([partition, calls]): EngineInput => {
      const batch = batchOf(calls, keys)
      return { kind: 'batch', partition, batch, from: 0, to: batch.length, panesFrom: 0, panesTo: 0, arrivedAt: at }
    }),
    ...(index === times.length >> 1 ? [{ kind: 'partitions', partitions: all.slice(1), at } as const] : []),
    ...(index === (times.length * 3) >> 2 ? [{ kind: 'tenants', tenants, at } as const] : []),
    { kind: 'tick', at },
  ])
}

test('what was recorded is decided again, from every state that the recording holds', async () => {
  await fc.assert(
    fc.asyncProperty(world, async made => {
      const directory = await mkdtemp(join(tmpdir(), 'weir-recorder-'))
      try {
        const engine = createEngine({ ...settingsOf({}, { two: { keys: ['a', 'b'] } }), keyed: made.keyed })
        const stops: string[] = []
        const recording = await openRecording({ directory, maxBytes: 150_000, stopped: why => void stops.push(why) })
        const recorder = createRecorder(recording, TEN)
        recorder.begin(engine, { resumedFrom: undefined, isAnew: true })
        const decided: string[] = []
        const later: EngineInput[] = []
        const take = (input: EngineInput): void => {
          recorder.input(input)
          const decisions: Decisions = advance(engine, input)
          recorder.decided(decisions)
          const text = decisionsText(decisions)
          if (text !== undefined) decided.push(text)
          for (const effect of decisions.effects) {
            const outcome = made.answers === 'refused' ? ({ kind: 'refused', because: 'so' } as const) : obeyed(effect)
            const answer: EngineInput = {
              kind: 'outcome',
              at: effect.decidedAt,
              report: { effectId: effect.id, outcome },
            }
            if (made.answers === 'at once') take(answer)
            else later.push(answer)
          }
        }
        for (const [index, input] of inputsOf(made).entries()) {
          for (const answer of later.splice(0)) take(answer)
          take(input)
          if (index % 25 === 0) await recorder.flush()
        }
        take({ kind: 'end' })
        await recorder.close()
        expect(stops).toEqual([])

        const { segments } = await findRecording(directory)
        const notes: unknown[] = []
        const noted = (note: unknown): void => void notes.push(note)
        const result = await replayRecording({ segments, changed: () => {}, noted })
        expect(result.parting).toBeUndefined()
        expect(notes).toEqual([])
        // Unless its beginning was dropped, every decision was compared.
        if (segments[0]?.head.place.input === 0) {
          const parsed = decided.flatMap(text => [...JSON.parse(text).effects, ...JSON.parse(text).changes])
          expect(result.decisions).toBe(parsed.length)
        }
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    }),
    { numRuns: 10 },
  )
})
