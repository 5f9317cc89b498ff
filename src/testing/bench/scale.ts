/** What is asked of a fleet's size, and what it is found to cost. */

export interface ScaleAsked {
  /** Keys with a week of history each. */
  readonly known: number
  /** Of them, those that call. */
  readonly active: number
  readonly callsInSecond: number
  /** Every detector is asked at every look; else those that only corroborate are asked when there is something to corroborate. */
  readonly allOpen: boolean
  readonly withCheckpoint: boolean
  /** Five minutes of calls, and then checkpoints while they go on in real time. */
  readonly withPauses: boolean
}

export interface ScaleMeasured {
  /** Processor time of the core for one call, looks and learning included. */
  readonly nsACall: number
  readonly residentBytes: number
  /** What a known key adds, all told. */
  readonly keyBytes: number
  readonly firstCheckpointMs?: number
  /** Of five seconds of calls later. */
  readonly nextCheckpointMs?: number
  readonly restartMs?: number
  /** Longest time in which nothing else had its turn: while calls came and a checkpoint was taken, and while calls came alone. */
  readonly pauseMs?: number
  readonly callsPauseMs?: number
}
