/** One piece of the bench on a thread of its own: takes a job, tells its progress, answers with the result. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Job, type JobResult, runJob } from './quality-job.ts'

export type FromWorker =
  | { readonly kind: 'said'; readonly line: string }
  | { readonly kind: 'done'; readonly result: JobResult }

const tell = (message: FromWorker): void => parentPort?.postMessage(message)

tell({ kind: 'done', result: runJob(workerData as Job, line => tell({ kind: 'said', line })) })
