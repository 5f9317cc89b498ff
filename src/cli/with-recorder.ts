/** `weir run --record`: the recording, opened before the worker and closed after it, whatever comes of the worker. */
import { resolve } from 'node:path'
import type { Clock } from '../clock.ts'
import { openRecording } from '../stores/recording.ts'
import { createRecorder, type Recorder } from '../worker/recorder.ts'
import type { Telemetry } from '../worker/telemetry.ts'

export interface RecordOptions {
  readonly directory: string
  readonly maxBytes: number
}

/** Throws STORE_UNWRITABLE if it cannot be begun; later trouble stops the recording, is told, and leaves the work alone. */
export async function withRecorder(
  record: RecordOptions | undefined,
  { clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry },
  work: (recorder: Recorder | undefined) => Promise<void>,
): Promise<void> {
  if (record === undefined) return work(undefined)
  const directory = resolve(record.directory)
  const stopped = (because: string): void => telemetry({ name: 'recordingStopped', directory, because })
  const recorder = createRecorder(await openRecording({ ...record, directory, stopped }), clock.now())
  telemetry({ name: 'recordingBegan', directory, maxBytes: record.maxBytes })
  try {
    await work(recorder)
  } finally {
    await recorder.close()
  }
}
