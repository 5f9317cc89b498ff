/** `weir alerts`: alerts that nobody got, for whoever has to see to it that somebody does. */
import { Command } from 'commander'
import type { AlertsOptions } from './alerts-undelivered.ts'
import { exitCodesHelp } from './exit.ts'

const configOption = ['-c, --config <file>', 'weir.yaml, whose state.directory they are kept in', 'weir.yaml'] as const
const ids = 'as `list` shows them: key_abc123#1/alert-1, or key_abc123#1 for all of an incident'

export function alertsCommand(): Command {
  const list = new Command('list')
    .description('What SNS has not taken: given up on and kept, or still waiting to be sent by the worker.')
    .option(...configOption)
    .option('--json', 'the same as one JSON object, and nothing else')
    .action(async (options: AlertsOptions & { readonly json?: true }) =>
      (await import('./alerts-undelivered.ts')).listAlerts(options),
    )
  const show = new Command('show')
    .description('The whole text of an alert, why nobody got it, and what has become of its incident.')
    .argument('<id>', ids)
    .option(...configOption)
    .action(async (id: string, options: AlertsOptions) =>
      (await import('./alerts-undelivered.ts')).showAlert(id, options),
    )
  const resend = new Command('resend')
    .description(
      'Sends what was given up on, in the order in which it was decided, marked as delayed and with the deduplicationId that it ' +
        'always had. What SNS takes is gone from the list. A worker may run meanwhile or not.',
    )
    .argument('[id...]', ids)
    .option('--all', 'all that are undelivered')
    .option(...configOption)
    .action(async (which: string[], options: AlertsOptions & { readonly all?: true }) =>
      (await import('./alerts-resend.ts')).resendAlerts(which, options),
    )
  const drop = new Command('drop')
    .description('Forgets what was given up on: nobody will be told.')
    .argument('<id...>', ids)
    .option(...configOption)
    .action(async (which: string[], options: AlertsOptions) =>
      (await import('./alerts-undelivered.ts')).dropAlerts(which, options),
    )
  const alerts = new Command('alerts')
    .summary('alerts that nobody got: list, show, resend, drop')
    .description(
      'An alert that SNS refuses, or does not take for alerts.giveUpAfter, is kept beside the state until a person has sent or dropped it.',
    )
    .addHelpText(
      'after',
      `
Examples:
  weir alerts list                               who was not told of what, since when, and why
  weir alerts show key_abc123#1/alert-1
  weir alerts resend --all                       when SNS is back, or the role mended
${exitCodesHelp}`,
    )
  for (const command of [list, show, resend, drop]) alerts.addCommand(command)
  return alerts
}
