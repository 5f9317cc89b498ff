/**
 * What `weir alerts resend` does: sends what was given up on as the worker would have, and forgets it once SNS has taken it.
 * Two that send at once would send all twice, so the folder is locked; a worker takes no part in it, since what is kept it
 * leaves alone (worker/delivery.ts). Killed between the answer and the forgetting, it is sent again by the next one, as the
 * same message: a subscriber knows it by its deduplicationId.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { snsClient, snsPerformer } from '../actions/sns.ts'
import { snsSender } from '../actions/sns-sender.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import { StreamError } from '../core/errors.ts'
import { cleanText } from '../core/explanation/text.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import { lockDirectory } from '../stores/checkpoint-lock.ts'
import { standingsIn } from '../stores/incident-log.ts'
import { forgetLetter, type Letter, readUndelivered, undeliveredFolder } from '../stores/undelivered.ts'
import { type AlertsOptions, lettersOf } from './alerts-undelivered.ts'
import { loadConfig } from './config-file.ts'
import { stateFolders } from './state-folders.ts'
import { listenForStop } from './stop-signal.ts'

export interface ResendSurroundings {
  readonly out: { write(text: string): unknown }
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** A person waits for it; the worker waited for hours. */
const triedForMs = 20 * SECOND_MS

export async function resendAlerts(
  which: readonly string[],
  options: AlertsOptions & { readonly all?: true },
  surroundings?: ResendSurroundings,
): Promise<void> {
  if (which.length > 0 === (options.all === true))
    throw new StreamError('CONFIG_INVALID', 'Which alerts are to be sent? Give their ids, or --all', {
      retry: 'never',
      hint: '`weir alerts list` shows what there is',
    })
  if (surroundings !== undefined) return resend(which, options, surroundings)
  const stop = listenForStop()
  try {
    await resend(which, options, { out: process.stdout, clock: systemClock(), signal: stop.signal })
  } finally {
    stop.release()
  }
}

async function resend(
  which: readonly string[],
  { config: path, all }: AlertsOptions & { readonly all?: true },
  { out, clock, signal }: ResendSurroundings,
): Promise<void> {
  const { config } = await loadConfig(path, { readFile: file => readFile(file, 'utf8'), acts: false })
  const directory = resolve(dirname(resolve(path)), config.state.directory)
  const { sns } = config.alerts
  if (sns === undefined) throw nowhere()
  await locked(directory, async () => {
    const { letters } = await readUndelivered(directory)
    const wanted = all ? letters : lettersOf(which, letters, directory)
    if (wanted.length === 0) {
      out.write('Every alert was delivered: there is nothing to send.\n')
      return
    }
    await sendAll(wanted, { directory, sns, out, clock, signal })
  })
}

interface Sending extends ResendSurroundings {
  readonly directory: string
  readonly sns: NonNullable<WeirConfig['alerts']['sns']>
}

/** One after another, so that they arrive in order; once SNS is found to be down, no further one is tried. */
async function sendAll(letters: readonly Letter[], { directory, sns, out, clock, signal }: Sending): Promise<void> {
  const client = snsClient(sns)
  const { topicArn } = sns
  const sender = snsSender({ client, topicArn, clock, random: Math.random })
  const standings = await standingsIn(await stateFolders(directory))
  const standingOf = (incidentId: string) => standings.get(incidentId)
  const performer = snsPerformer({ sender, topicArn, clock, giveUpAfterMs: triedForMs, standingOf })
  let sent = 0
  let failure: { readonly because: string; readonly isDown: boolean } | undefined
  try {
    for (const letter of letters) {
      const id = cleanText(letter.effect.id)
      const outcome = await performer.perform(letter.effect, signal)
      if (outcome.kind === 'refused') {
        failure = { because: outcome.because, isDown: sender.circuit().phase === 'down' }
        out.write(`${id} was NOT sent: ${outcome.because}\n`)
        if (failure.isDown) break
        continue
      }
      await forgetLetter(directory, letter)
      sent++
      out.write(`${id} is sent.\n`)
    }
  } finally {
    client.destroy()
  }
  if (failure !== undefined) throw unsent(letters.length - sent, letters.length, failure)
}

async function locked(directory: string, work: () => Promise<void>): Promise<void> {
  const folder = undeliveredFolder(directory)
  await mkdir(folder, { recursive: true })
  const lock = await lockDirectory(folder).catch((cause: unknown) => {
    throw new StreamError('STATE_TAKEN', 'Somebody else is sending undelivered alerts at this moment', {
      retry: 'later',
      hint: 'Wait until they have, and see `weir alerts list`',
      cause,
    })
  })
  try {
    await work()
  } finally {
    await lock.release()
  }
}

const nowhere = (): StreamError =>
  new StreamError('CONFIG_INVALID', 'No alerts.sns is configured: there is no topic to send alerts to', {
    retry: 'never',
    hint: 'Set alerts.sns.topicArn in weir.yaml, as the worker has it',
  })

const unsent = (
  left: number,
  of: number,
  { because, isDown }: { readonly because: string; readonly isDown: boolean },
) =>
  new StreamError(isDown ? 'ALERT_UNREACHABLE' : 'ALERT_REFUSED', `${left} of ${of} alerts were not sent: ${because}`, {
    retry: isDown ? 'later' : 'never',
    hint: 'They are still kept: mend what it says, and send them again',
  })
