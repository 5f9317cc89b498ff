/** What `weir label` does: finds the incident in what the worker has kept, and writes down what a person says of it. */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import type { Label, Verdict } from '../core/tuning/label.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'
import { findIncident } from '../stores/incident-log.ts'
import { addLabel, labelsPath } from '../stores/labels.ts'
import { loadConfig } from './config-file.ts'
import { iso } from './plain-words.ts'

export interface LabelOptions {
  readonly config: string
  readonly note?: string
  /** Of an incident that the worker does not know, since it was told by a replay: a moment in it. */
  readonly at?: EpochMs
}

export interface LabelSurroundings {
  readonly out: { write(text: string): unknown }
  readonly now: () => EpochMs
}

/** Throws INCIDENT_UNKNOWN, STORE_UNWRITABLE, and what reading the configuration may throw. */
export async function labelIncident(
  incidentId: string,
  verdict: Verdict,
  { config: path, note, at }: LabelOptions,
  { out, now }: LabelSurroundings = { out: process.stdout, now: systemClock().now },
): Promise<void> {
  const directory = await stateDirectoryOf(path)
  const incident = at === undefined ? await known(directory, incidentId) : named(incidentId, at)
  await addLabel(directory, { at: now(), ...incident, verdict, note })
  const { keyId, kind, from, to } = incident
  const what = verdict === 'true' ? 'is labelled true' : 'is labelled a false alarm'
  const when = from === to ? iso(from) : `${iso(from)} to ${iso(to)}`
  out.write(
    `${incidentId} (${kind === undefined ? '' : `${kind} `}of ${keyId}, ${when}) ${what} in ${labelsPath(directory)}.\n`,
  )
}

/** Of a configuration, the folder that its state is kept in. */
export async function stateDirectoryOf(path: string): Promise<string> {
  const { config } = await loadConfig(path, { readFile: file => readFile(file, 'utf8'), acts: false })
  return resolve(dirname(resolve(path)), config.state.directory)
}

type Named = Pick<Label, 'incidentId' | 'keyId' | 'kind' | 'from' | 'to'>

async function known(directory: string, incidentId: string): Promise<Named> {
  const found = await findIncident(directory, incidentId)
  if (found === undefined)
    throw new StreamError('INCIDENT_UNKNOWN', `No incident ${incidentId} was told by the worker of ${directory}`, {
      retry: 'never',
      hint: 'Ids are as in its alerts, key_abc123#1. Of one that a replay or tune has told, give a moment in it: --at 2026-11-20T14:03:07Z',
    })
  const { keyId, kind, from, to } = found
  return { incidentId, keyId, kind, from, to }
}

/** The id is made of the key and a number. */
function named(incidentId: string, at: EpochMs): Named {
  const end = incidentId.lastIndexOf('#')
  if (end <= 0)
    throw new StreamError('INCIDENT_UNKNOWN', `“${incidentId}” is no incident's id`, {
      retry: 'never',
      hint: 'It is made of the key and a number: key_abc123#1',
    })
  const keyId = incidentId.slice(0, end) as ApiKeyId
  // As a platform's incidents are told.
  return { incidentId, keyId: keyId === 'platform' ? ('*' as ApiKeyId) : keyId, kind: undefined, from: at, to: at }
}
