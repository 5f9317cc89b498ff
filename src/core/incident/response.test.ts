import { describe, expect, test } from 'vitest'
import type { Usual } from '../../../detectors/contract.ts'
import { weirSchema } from '../config/config.ts'
import {
  compareHarm,
  isDominant,
  isFarWorse,
  type ResponseQuestion,
  respond,
  type Standing,
  severityOf,
  throttledLimits,
} from './response.ts'

const policy = weirSchema.parse({}).throttle
const usual: Usual = {
  callsPerMinute: 500,
  lowerPerMinute: 400,
  upperPerMinute: 600,
  slotUpperPerMinute: 600,
  slotLowerPerMinute: 0,
  longestPause: undefined,
  dispersion: 0.01,
  clientErrorShare: 0,
  refusedShare: 0,
  failureShare: 0,
  answered: 100_000,
  latencyMs: undefined,
  days: 7,
  reaches: [],
}
const harmful: ResponseQuestion = {
  mode: 'enforce',
  keyId: 'key_abc123',
  isExempt: false,
  severity: 'high',
  usual,
  isPlatformIncident: false,
  haltedBy: undefined,
  throttlesOfWeek: 0,
  throttledTenants: 0,
  now: 1_000,
  at: 1_000,
  isPast: false,
}
const why = (question: Partial<ResponseQuestion>): string => {
  const action = respond({ ...harmful, ...question }, policy)
  return action.kind === 'held' ? action.because : action.kind
}

describe('the response', () => {
  test('what is seen while the worker catches up lowers nobody’s limit, however young it is by now', () => {
    expect(why({ isPast: true })).toBe('too-old')
  })

  test('while a person has halted throttling nobody is throttled; that nobody would be anyway is said first', () => {
    expect(why({ haltedBy: 'ann' })).toBe('halted')
    expect(why({ haltedBy: 'ann', mode: 'observe' })).toBe('observe-mode')
    expect(why({ haltedBy: 'ann', mode: 'suggest' })).toBe('suggest')
  })

  test('to who does it again within a week lasts longer each time, where that is asked for', () => {
    const lasts = (throttlesOfWeek: number, settings: object): number => {
      const action = respond({ ...harmful, throttlesOfWeek }, { ...policy, ...settings })
      return action.kind === 'throttle' ? action.expiresAt - harmful.now : 0
    }
    const tenMinutes = { expiresAfter: 600_000, longest: 3_600_000 }
    const times = [0, 1, 2, 3, 16]
    expect(times.map(before => lasts(before, tenMinutes))).toEqual(times.map(() => 600_000))
    expect(times.map(before => lasts(before, { ...tenMinutes, repeatFactor: 3 }))).toEqual([
      600_000, 1_800_000, 3_600_000, 3_600_000, 3_600_000,
    ])
    expect(lasts(1, { expiresAfter: 600_000, longest: 1_000, repeatFactor: 3 })).toBe(600_000)
  })

  test('to harm is the usual need with headroom, in whole calls a second, for as long as a throttle lasts', () => {
    expect(respond(harmful, policy)).toEqual({
      kind: 'throttle',
      limits: { rateLimit: 15, burstLimit: 30 },
      expiresAt: 601_000,
    })
  })

  test('is nothing but a word where anything speaks against it', () => {
    expect(why({ mode: 'observe' })).toBe('observe-mode')
    expect(why({ mode: 'suggest' })).toBe('suggest')
    expect(why({ severity: 'low' })).toBe('no-harm')
    expect(why({ isExempt: true })).toBe('exempt')
    expect(why({ keyId: 'anonymous' })).toBe('anonymous')
    expect(why({ keyId: 'hash:0123' })).toBe('key-id-unknown')
    expect(why({ usual: undefined })).toBe('history-unknown')
    expect(why({ isPlatformIncident: true })).toBe('platform-incident')
    expect([why({ throttledTenants: 4 }), why({ throttledTenants: 5 })]).toEqual(['throttle', 'too-many-throttled'])
  })

  test('names what would stay so whatever the user changed: a sick platform before harm, harm before who it is', () => {
    const everything = { mode: 'observe', keyId: 'anonymous', isExempt: true, usual: undefined } as const
    expect(why({ ...everything, isPlatformIncident: true, severity: 'low' })).toBe('platform-incident')
    expect(why({ ...everything, severity: 'low' })).toBe('no-harm')
    expect(why(everything)).toBe('anonymous')
    expect(why({ ...everything, keyId: 'key' })).toBe('exempt')
  })

  test('never starves a tenant that hardly calls', () => {
    expect(throttledLimits({ ...usual, upperPerMinute: 0 }, policy)).toEqual({ rateLimit: 1, burstLimit: 2 })
    expect(throttledLimits({ ...usual, upperPerMinute: 40.1 }, policy)).toEqual({ rateLimit: 2, burstLimit: 4 })
  })
})

describe('harm', () => {
  const standing: Standing = {
    calls: 1_000,
    excess: 900,
    timesUpper: 10,
    fleetCalls: 1_500,
    fleetExcess: 1_000,
    provenCalls: 499,
    othersFail: false,
    pool: undefined,
  }
  test('is what retries do by themselves', () => {
    expect(severityOf('retry-storm', { ...standing, calls: 1, excess: 0 })).toBe('high')
  })

  test('is what a surge does that outweighs all others, far beyond its own usual, and three times what the API has carried', () => {
    expect(severityOf('surge', standing)).toBe('high')
    expect(severityOf('surge', { ...standing, timesUpper: 9.9 })).toBe('low')
    expect(severityOf('surge', { ...standing, fleetCalls: 2_001 })).toBe('low')
    expect(severityOf('surge', { ...standing, provenCalls: 500 })).toBe('low')
    expect(severityOf('surge', { ...standing, timesUpper: undefined })).toBe('low')
  })

  test('is not what a fall does, whoever makes it and whatever goes on beside it', () => {
    expect(severityOf('fall', { ...standing, othersFail: true })).toBe('low')
  })

  test('is what a dominant surge does when the others have begun to fail', () => {
    const smaller = { ...standing, fleetCalls: 5_000, othersFail: true }
    expect(severityOf('surge', smaller)).toBe('high')
    expect(severityOf('surge', { ...smaller, excess: 499 })).toBe('low')
  })

  test('is what takes more than its part of the pool where the pool runs out within minutes', () => {
    const filling = (secondsLeft: number) => ({
      ...standing,
      pool: { concurrency: 1_000, executions: 700, secondsLeft },
    })
    expect(severityOf('pool-share', filling(0))).toBe('high')
    expect(severityOf('pool-share', filling(120))).toBe('high')
    expect(severityOf('pool-share', filling(121))).toBe('low')
    expect(severityOf('pool-share', filling(Number.POSITIVE_INFINITY))).toBe('low')
  })

  test('is not what errors and refusals do, whoever is larger', () => {
    expect(severityOf('error-loop', standing)).toBe('low')
    expect(severityOf('limit-pressure', standing)).toBe('low')
  })

  test('is named by its cause: a storm before the pool it fills, errors before the calls they are made of', () => {
    expect(compareHarm('retry-storm', 'pool-share')).toBeGreaterThan(0)
    expect(compareHarm('surge', 'error-loop')).toBeLessThan(0)
    expect(compareHarm('error-loop', 'limit-pressure')).toBe(0)
    expect(compareHarm('fall', 'silence')).toBeLessThan(0)
    expect(compareHarm('fall', 'surge')).toBeLessThan(0)
  })

  test('has one culprit where a key makes half of all excess at ten times its usual', () => {
    expect(isDominant({ ...standing, excess: 500 })).toBe(true)
    expect(isDominant({ ...standing, excess: 499 })).toBe(false)
  })

  test('is one client’s doing and no sick API where it makes four fifths of all excess', () => {
    expect(isFarWorse({ ...standing, excess: 800 })).toBe(true)
    expect(isFarWorse({ ...standing, excess: 799 })).toBe(false)
    expect(isFarWorse({ ...standing, timesUpper: 9.9 })).toBe(false)
  })

  test('is not what a client does that is a trifle beside all others, however it has grown, while they fail', () => {
    const trifle = { ...standing, calls: 43, excess: 35, fleetExcess: 35, fleetCalls: 1_300, othersFail: true }
    expect(severityOf('surge', trifle)).toBe('low')
    expect(isDominant(trifle)).toBe(false)
  })
})
