/** A stretch of minutes in which nobody called: what it was is known only when calls come again. */

/** Minutes in which nobody called: a gap in delivery, or a quiet night. Known only when calls come again. */
export interface QuietStretch {
  fromMinute: number
  minutes: number
  /** The stretch holds the beginning, or the seam between history and stream: nothing is known of it. */
  isUnknown: boolean
  /** Calls a minute of the whole stream before it, averaged over about a quarter of an hour. */
  recentPerMinute: number
}

/** A stream that brought this many calls in as long a time just before does not fall silent by chance. */
const GAP_CALLS = 50
/** Nights come slowly: only this much of a long silence is held against it. */
const GAP_MINUTES = 15

export const isGap = ({ minutes, isUnknown, recentPerMinute }: QuietStretch): boolean =>
  isUnknown || (minutes >= 2 && recentPerMinute * Math.min(minutes, GAP_MINUTES) >= GAP_CALLS)
