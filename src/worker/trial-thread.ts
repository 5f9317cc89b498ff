/** The other side of trials.ts: a worker thread that judges one setting after another, as it is told. */
import { parentPort } from 'node:worker_threads'
import { type ErrorCode, StreamError } from '../core/errors.ts'
import type { KeptLog } from './kept-log.ts'
import { judgeKept, type Trial, type TrialResult } from './trial.ts'

export interface TrialTask {
  readonly kept: KeptLog
  readonly trial: Trial
}

export type FromTrialThread =
  | { readonly kind: 'progressed'; readonly share: number }
  | { readonly kind: 'judged'; readonly result: TrialResult }
  /** What a person must deal with; a thread's error loses what it is on its way. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly sentence: string; readonly hint: string | undefined }

parentPort?.on('message', ({ kept, trial }: TrialTask) => {
  const post = (message: FromTrialThread): void => parentPort?.postMessage(message)
  try {
    const result = judgeKept(kept, trial, share => post({ kind: 'progressed', share }))
    post({ kind: 'judged', result })
  } catch (failure) {
    if (!(failure instanceof StreamError)) throw failure
    post({ kind: 'refused', code: failure.code, sentence: failure.message, hint: failure.hint })
  }
})
