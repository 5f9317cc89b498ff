import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PlanLimits } from '../vocabulary.ts'
import {
  beginVerification,
  endVerification,
  newsOf,
  type SecondSeen,
  type Verdict,
  type Verification,
  verify,
} from './verification.ts'

/** The gateway answered at second 100; two minutes to settle: from second 220 on. */
const ANSWERED = 100
const begun = (limits: PlanLimits, { wasSo = false } = {}): Verification =>
  beginVerification(
    { plans: [{ planId: 'plan-a', limits, keys: ['key-a'] }], wasSo },
    { now: ANSWERED * 1_000, newest: 0, settleMs: 120_000 },
  )!

const fifteen = { rateLimit: 15, burstLimit: 30 }
const one = { rateLimit: 1, burstLimit: 2 }

type Second = Partial<Omit<SecondSeen, 'second'>>

/** Looked at second by second, each closed 35 s later, until `until`; `of` says what the log has of a second. */
function watch(verification: Verification, of: (second: number) => Second | undefined, until = 400) {
  const seconds: SecondSeen[] = []
  const verdicts: string[] = []
  let current = verification
  for (let closedTo = ANSWERED - 60; closedTo <= until; closedTo++) {
    const seen = of(closedTo - 1)
    if (seen !== undefined) seconds.push({ second: closedTo - 1, accepted: 0, refused: 0, unclear: 0, ...seen })
    const before = current
    current = verify(current, { seconds, closedTo, now: (closedTo + 35) * 1_000, deliveryMs: 35_000 })
    if (current.verdict.kind !== before.verdict.kind)
      verdicts.push(`${closedTo}s ${verdictText(current.verdict)} ${newsOf(before, current)}`)
  }
  return { verdicts, current }
}

const verdictText = (verdict: Verdict): string =>
  verdict.kind === 'cannot-tell' ? `cannot-tell (${verdict.because})` : verdict.kind

/** A storm of so many calls a second, held to the limit from a second on. */
const heldFrom = (from: number, calls: number, limits: PlanLimits) => (second: number) =>
  second < from ? { accepted: calls } : { accepted: limits.rateLimit, refused: calls - limits.rateLimit }

describe('a limit that holds', () => {
  test('is seen to, ten seconds after it began to, with how long AWS took', () => {
    const { verdicts, current } = watch(begun(fifteen), heldFrom(120, 500, fifteen))
    expect(verdicts).toEqual(['130s bites told'])
    expect(current.verdict).toEqual({
      kind: 'bites',
      ...{ since: 120_000, afterMs: 20_000 },
      seen: { from: 120_000, seconds: 10, accepted: 150, refused: 4_850, unclear: 0, allowed: 180 },
    })
  })

  test('that the plan had already is nobody’s propagation time', () => {
    const { current } = watch(begun(fifteen, { wasSo: true }), heldFrom(0, 500, fifteen))
    expect(current.verdict).toMatchObject({ kind: 'bites', since: 100_000, afterMs: undefined })
  })

  test('of one call a second is seen by what it refuses in ten', () => {
    expect(watch(begun(one), heldFrom(130, 40, one)).verdicts).toEqual(['140s bites told'])
  })

  test('is seen though the gateway logs nothing of what it refuses: what it lets through does not waver', () => {
    const logged = (second: number) => ({ accepted: second < 120 ? 500 : 14 + (second % 3) })
    expect(watch(begun(fifteen), logged).verdicts).toEqual(['150s bites told'])
  })

  test('is seen only after AWS has taken its whole time', () => {
    expect(watch(begun(fifteen), heldFrom(219, 500, fifteen)).verdicts).toEqual(['229s bites told'])
  })

  test('is not said to leak because it began to bite a little late', () => {
    for (const from of [221, 230, 239]) {
      const { verdicts } = watch(begun(fifteen), heldFrom(from, 500, fifteen))
      expect(verdicts).toEqual([`${from + 10}s bites told`])
    }
  })
})

describe('a limit that does not bite', () => {
  test('is told once, thirty closed seconds after it should have, with what was let through', () => {
    const { verdicts, current } = watch(begun(fifteen), () => ({ accepted: 480, unclear: 20 }), 700)
    expect(verdicts).toEqual(['250s does-not-bite alerted'])
    expect(current.verdict).toEqual({
      kind: 'does-not-bite',
      seen: { from: 220_000, seconds: 30, accepted: 14_400, refused: 0, unclear: 600, allowed: 480 },
    })
  })

  test('is told while some are refused: one of two stages is still open', () => {
    const { verdicts } = watch(begun(fifteen), () => ({ accepted: 250, refused: 235 }))
    expect(verdicts).toEqual(['250s does-not-bite alerted'])
  })

  test('is told again when it bites after all, and both no more than once', () => {
    const inTurns = (second: number) => {
      const isHeld = second >= 300 && (second < 380 || second >= 450)
      return isHeld ? { accepted: 15, refused: 485 } : { accepted: 500 }
    }
    expect(watch(begun(fifteen), inTurns, 600).verdicts).toEqual([
      '250s does-not-bite alerted',
      '359s bites alerted',
      '401s does-not-bite none',
      '509s bites none',
    ])
  })

  test('is not said of a hiccup of some seconds', () => {
    const hiccup = (second: number) =>
      second >= 300 && second < 308 ? { accepted: 500 } : { accepted: 15, refused: 485 }
    expect(watch(begun(fifteen), hiccup, 600).verdicts).toEqual(['110s bites told'])
  })

  test('is said once of one that hiccups all the time', () => {
    const hiccups = (second: number) => (second % 60 < 8 ? { accepted: 500 } : { accepted: 15, refused: 485 })
    const told = watch(begun(fifteen), hiccups, 600).verdicts.filter(verdict => !verdict.endsWith('none'))
    expect(told).toEqual(['110s bites told', '362s does-not-bite alerted'])
  })

  test('is told when it held and holds no longer: somebody has raised it', () => {
    const raised = (second: number) => (second < 300 ? { accepted: 15, refused: 485 } : { accepted: 500 })
    expect(watch(begun(fifteen), raised).verdicts).toEqual(['110s bites told', '321s does-not-bite alerted'])
  })

  test('of little more than twice the limit takes the longer look', () => {
    expect(watch(begun(fifteen), () => ({ accepted: 32 }), 600).verdicts).toEqual([
      '280s cannot-tell (near-limit) none',
      '340s does-not-bite alerted',
    ])
  })
})

describe('nobody is told that a limit leaks', () => {
  const never = (limits: PlanLimits, of: (second: number) => Second | undefined) => {
    const { current } = watch(begun(limits), of, 600)
    return verdictText(current.verdict)
  }

  test('of a client that calls less than it lets through', () => {
    expect(never(fifteen, () => ({ accepted: 8 }))).toBe('cannot-tell (asks-less)')
    expect(never(one, second => (second % 3 === 0 ? { accepted: 1 } : undefined))).toBe('cannot-tell (asks-less)')
  })

  test('of a tiny client whose few calls are more than its limit of one a second', () => {
    expect(never(one, second => (second % 20 === 0 ? { accepted: 19 } : undefined))).toBe('cannot-tell (near-limit)')
  })

  test('of a tiny one that calls three times a second for half a minute', () => {
    const sprint = (second: number) => (second >= 220 && second < 250 ? { accepted: 3 } : undefined)
    expect(never(one, sprint)).toBe('cannot-tell (silent)')
  })

  test('or holds, of a client of one call a second whom the account’s limit refuses every other one', () => {
    expect(never(one, second => (second % 2 === 0 ? { accepted: 1 } : { refused: 1 }))).toBe('cannot-tell (near-limit)')
  })

  test('of one that fell silent', () => {
    expect(never(fifteen, second => (second < 150 ? { accepted: 500 } : undefined))).toBe('cannot-tell (silent)')
  })

  test('of one whose calls the gateway may have answered by itself: a disabled key’s are 403', () => {
    expect(never(fifteen, () => ({ unclear: 500 }))).toBe('cannot-tell (unclear-answers)')
  })

  test('of one that is refused by another limit, at less than its own: the account’s', () => {
    expect(never(fifteen, () => ({ accepted: 2, refused: 3 }))).toBe('cannot-tell (held-otherwise)')
    expect(never(fifteen, () => ({ accepted: 1, refused: 400 }))).toBe('cannot-tell (held-otherwise)')
  })

  test('while the stream brings nothing: it says so some minutes later', () => {
    const start = begun(fifteen)
    const late = (now: number) => verify(start, { seconds: [], closedTo: 150, now: now * 1_000, deliveryMs: 35_000 })
    expect(late(349).verdict.kind).toBe('too-early')
    expect(verdictText(late(350).verdict)).toBe('cannot-tell (not-delivered)')
  })

  test('of a limit that was given back before it could be told', () => {
    expect(verdictText(endVerification(begun(fifteen))!.verdict)).toBe('cannot-tell (ended-early)')
  })
})

test('what is refused before the gateway answered is not this limit’s doing', () => {
  expect(
    watch(begun(fifteen), second => (second < 105 ? { accepted: 15, refused: 400 } : { accepted: 500 }), 200).verdicts,
  ).toEqual([])
})

test('several keys in several plans may call what all these plans let each of them', () => {
  const plans = [
    { planId: 'p1', limits: fifteen, keys: ['a', 'b'] },
    { planId: 'p2', limits: one, keys: ['a'] },
  ]
  const { limits } = beginVerification({ plans, wasSo: false }, { now: 0, newest: 0, settleMs: 1 })!
  expect(limits).toEqual({ rateLimit: 31, burstLimit: 62 })
})

test('where no gateway said what it holds nothing is verified', () => {
  expect(beginVerification({ plans: undefined, wasSo: false }, { now: 0, newest: 0, settleMs: 1 })).toBeUndefined()
})

test('a stream that is ahead of our clock is given its time from where it is', () => {
  const plans = [{ planId: 'plan-a', limits: fifteen, keys: ['key-a'] }]
  expect(beginVerification({ plans, wasSo: false }, { now: 1_000, newest: 9_000, settleMs: 500 })?.settledAt).toBe(
    9_500,
  )
})

/** A bucket as AWS has it: so rough that at times half as much again comes through, and it begins to bite at some second. */
const bucket = fc.record({
  rateLimit: fc.oneof(fc.constantFrom(0.5, 1, 2), fc.integer({ min: 1, max: 400 })),
  burstSeconds: fc.integer({ min: 1, max: 60 }),
  bitesAfter: fc.integer({ min: 0, max: 120 }),
  roughly: fc.constantFrom(1, 1.2, 1.5),
  /** Calls wanted in each second, in multiples of the rate: quiet, bursts and storms. */
  demand: fc.array(
    fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3, noNaN: true }), fc.integer({ min: 10, max: 300 })),
    {
      minLength: 20,
      maxLength: 60,
    },
  ),
  /** By so much the log's clock is off, ms; and how many of the refused it has. */
  skewMs: fc.integer({ min: -900, max: 900 }),
  logged: fc.constantFrom(0, 0.5, 1),
})

test('a bucket that bites in time is never said not to, whatever is asked of it and however roughly it counts', () => {
  fc.assert(
    fc.property(bucket, ({ rateLimit, burstSeconds, bitesAfter, roughly, demand, skewMs, logged }) => {
      const limits = { rateLimit, burstLimit: Math.ceil(rateLimit * burstSeconds) }
      const seconds = new Map<number, SecondSeen>()
      let tokens = limits.burstLimit
      for (let at = (ANSWERED - 60) * 10; at < 700 * 10; at++) {
        const wanted = Math.round(((demand[Math.floor(at / 10) % demand.length] ?? 0) * rateLimit) / 10)
        const isLimited = at >= (ANSWERED + bitesAfter) * 10
        tokens = Math.min(limits.burstLimit, tokens + (rateLimit * roughly) / 10)
        const through = isLimited ? Math.min(wanted, Math.floor(tokens)) : wanted
        if (isLimited) tokens -= through
        const second = Math.floor((at * 100 + skewMs) / 1_000)
        const before = seconds.get(second) ?? { second, accepted: 0, refused: 0, unclear: 0 }
        const refused = before.refused + Math.round((wanted - through) * logged)
        seconds.set(second, { ...before, accepted: before.accepted + through, refused })
      }
      const { verdicts } = watch(begun(limits), second => seconds.get(second), 690)
      return verdicts.every(told => !told.includes('does-not-bite'))
    }),
    { numRuns: 100 },
  )
})

test('a storm that nothing holds is always told of within a minute after the settle time', () => {
  const storm = fc.record({
    rateLimit: fc.integer({ min: 1, max: 200 }),
    burstSeconds: fc.integer({ min: 1, max: 10 }),
    times: fc.integer({ min: 5, max: 500 }),
  })
  fc.assert(
    fc.property(storm, ({ rateLimit, burstSeconds, times }) => {
      const limits = { rateLimit, burstLimit: rateLimit * burstSeconds }
      const { current } = watch(begun(limits), () => ({ accepted: rateLimit * times }), 280)
      return current.verdict.kind === 'does-not-bite'
    }),
    { numRuns: 50 },
  )
})

test('it does not show how many seconds closed at once', () => {
  const of = heldFrom(180, 200, fifteen)
  const seconds = Array.from({ length: 300 }, (_, at) => ({ second: at, unclear: 0, refused: 0, ...of(at) }))
  const steps = (...closed: number[]) =>
    closed.reduce((now, closedTo) => verify(now, { seconds, closedTo, now: 0, deliveryMs: 35_000 }), begun(fifteen))
  expect(steps(250)).toEqual(steps(...Array.from({ length: 250 }, (_, at) => at + 1)))
  expect(steps(120, 186, 250)).toEqual(steps(250))
})
