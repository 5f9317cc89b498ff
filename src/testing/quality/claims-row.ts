/** How far what Weir says of its own knowledge is true, over clients of one size and over all. */

import { partsOfStated } from './claims/rises.ts'
import { timesStated } from './claims/usual-kept.ts'
import type { ClientClaims } from './claims-part.ts'
import { type Size, sizeOf, sizes } from './size.ts'

export interface ClaimsRow {
  readonly of: Size | 'all'
  /** For each length of time that `weir explain` states a least rise for. */
  readonly rises: readonly RiseRow[]
  /** Judged minutes, and shares of them outside the band. */
  readonly minutes: number
  readonly above: number
  readonly below: number
  readonly tenantWeeks: number
  /** What is called so often a week, and how often a week it came. */
  readonly rarities: readonly { readonly stated: number; readonly came: number }[]
}

export interface RiseRow {
  readonly seconds: number
  readonly trials: number
  /** Share of the stated rises that were seen in time. */
  readonly found: number
  /** The stated rise, as a multiple of the least that is seen as often as is promised; undefined where none is. */
  readonly timesLeastSeen: number | undefined
}

/** So often what is stated is to be seen. */
export const PROMISED = 0.95

export const claimsRows = (clients: readonly ClientClaims[]): readonly ClaimsRow[] =>
  clients.length === 0
    ? []
    : [
        ...sizes.map(size =>
          rowOf(
            size,
            clients.filter(({ callsPerMinute }) => sizeOf(callsPerMinute) === size),
          ),
        ),
        rowOf('all', clients),
      ].filter(({ minutes }) => minutes > 0)

function rowOf(of: ClaimsRow['of'], clients: readonly ClientClaims[]): ClaimsRow {
  const sum = (count: (client: ClientClaims) => number): number => clients.reduce((total, one) => total + count(one), 0)
  const minutes = sum(({ usual }) => usual.band.minutes)
  const tenantWeeks = sum(({ usual }) => usual.weeks)
  const lengths = [...new Set(clients.flatMap(({ rises }) => rises.map(({ seconds }) => seconds)))]
  return {
    ...{ of, minutes, tenantWeeks },
    above: sum(({ usual }) => usual.band.above) / minutes,
    below: sum(({ usual }) => usual.band.below) / minutes,
    rises: lengths.map(seconds => riseOf(clients, seconds)),
    rarities: timesStated.map((stated, index) => ({
      stated,
      came: sum(({ usual }) => usual.came[index]) / tenantWeeks,
    })),
  }
}

function riseOf(clients: readonly ClientClaims[], seconds: number): RiseRow {
  const rises = clients.flatMap(client => client.rises.filter(rise => rise.seconds === seconds))
  const trials = rises.reduce((sum, rise) => sum + rise.trials, 0)
  const shares = partsOfStated.map((_, part) => rises.reduce((sum, { seen }) => sum + seen[part], 0) / trials)
  return { seconds, trials, found: shares[partsOfStated.indexOf(1)], timesLeastSeen: timesLeastSeen(shares) }
}

/** Parts fall, and so do the shares: in between as if on a line. */
export function timesLeastSeen(shares: readonly number[]): number | undefined {
  const unseen = shares.findIndex(share => share < PROMISED)
  if (unseen === 0) return undefined
  if (unseen < 0) return 1 / partsOfStated[partsOfStated.length - 1]
  const [larger, smaller] = [partsOfStated[unseen - 1], partsOfStated[unseen]]
  const way = (shares[unseen - 1] - PROMISED) / (shares[unseen - 1] - shares[unseen])
  return 1 / (larger + way * (smaller - larger))
}
