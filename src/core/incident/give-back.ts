/**
 * How to give a limit back, as data: for whoever does it when Weir itself cannot any more, a schedule that was made beside the
 * throttle or a person with the journal in hand. It says what to compare with and what to set, and needs nothing else of ours.
 *
 * The rules are the performer's: a plan, or a method of it, that has none of the values it may have by our doing is
 * somebody else's by now and is left alone; a key that is in the penalty plan goes back into the plans it came from; one that is in none of
 * these plans is on its way, and goes back too; one that is in another plan of these stages was put there by somebody else.
 */
import type { ApiKeyId, EpochMs, PlanLimits } from '../vocabulary.ts'
import type { LimitStory } from './limit-story.ts'
import type { LimitsOrNone, MethodPlace } from './plan-story.ts'

export type GiveBack =
  | {
      readonly kind: 'plan'
      /** Name in `gateways`; undefined: `gateway`. */
      readonly gateway?: string
      readonly planId: string
      /** null = remove the plan's throttle. */
      readonly original: LimitsOrNone
      readonly mayHave: readonly LimitsOrNone[]
      readonly methods: readonly (MethodPlace & {
        readonly original: PlanLimits
        readonly mayHave: readonly PlanLimits[]
      })[]
    }
  | {
      readonly kind: 'move'
      readonly gateway?: string
      /** The API key's id. */
      readonly movedKey: ApiKeyId
      readonly from: readonly string[]
      readonly to: string
      /** `apiId/stage` of all that these plans are for. */
      readonly stages: readonly string[]
    }
  /** Ends by itself. */
  | { readonly kind: 'row'; readonly gateway?: string; readonly row: string; readonly expiresAt: EpochMs }

export function giveBackOf(story: LimitStory): GiveBack {
  const at = story.gateway === undefined ? {} : { gateway: story.gateway }
  switch (story.kind) {
    case 'plan': {
      const { planId, original, mayHave } = story
      const methods = story.methods.map(({ apiStage, method, original, mayHave }) => ({
        ...{ apiStage, method, original, mayHave },
      }))
      return { kind: 'plan', ...at, planId, original, mayHave, methods }
    }
    case 'move': {
      const { movedKey, from, to, stages } = story
      return { kind: 'move', ...at, movedKey, from, to, stages }
    }
    case 'row':
      return { kind: 'row', ...at, row: story.row, expiresAt: story.expiresAt }
    default:
      return story satisfies never
  }
}

/** … and where its gateway is: all that a person needs to do it. */
export interface ByHand {
  readonly giveBack: GiveBack
  /** As configured. */
  readonly region?: string
}

/** Under which name (`placeName`), until when, and for whom. */
export interface Owed {
  readonly name: string
  readonly giveBack: GiveBack
  /** The latest end that was asked for; undefined in what a journal of before has. */
  readonly expiresAt: EpochMs | undefined
  readonly holders: readonly ApiKeyId[]
  /** The effect that the last change was made for. */
  readonly effectId: string
}

export const owedOf = (name: string, story: LimitStory): Owed => ({
  ...{ name, giveBack: giveBackOf(story), expiresAt: story.expiresAt },
  ...{ holders: story.holders, effectId: story.effectId },
})

/**
 * Told of what is owed, for whoever makes sure of it by other means. At its start it finds in the journal's stories
 * (`owedOf`) what an earlier life has told it of, or has died before it could.
 */
export interface GiveBackWatch {
  /**
   * Before each change, when it is on disk and the gateway has not heard of it: before the first, and again whenever what would
   * have to be given back becomes another or is wanted for longer. The change waits for it, with the gateway's turn in hand:
   * so it ends within seconds, whatever comes of it, and never rejects. undefined: go on; a text says why nothing more must
   * be taken. What gives back goes on all the same.
   */
  owed(owed: Owed): Promise<string | undefined>
  /** Nothing is owed under this name any more. */
  over(name: string): Promise<void>
}
