/** `weir label`: a person says whether an incident was one. */
import { Argument, Command, Option } from 'commander'
import type { Verdict } from '../core/tuning/label.ts'
import { exitCodesHelp } from './exit.ts'
import type { LabelOptions } from './label-incident.ts'
import { parseMoment } from './moment.ts'

export function labelCommand(): Command {
  return new Command('label')
    .summary('say whether an incident was one, for `weir tune`')
    .description(
      'Keeps what you say of an incident in labels.ndjson beside the state, also while a worker runs. The last label of an ' +
        'incident counts. `weir tune` keeps what is true found, and counts a false alarm as one.',
    )
    .argument('<incident>', 'its id, as in the alert: key_abc123#1')
    .addArgument(new Argument('<verdict>', 'what it was').choices(['true', 'false-alarm']))
    .option('--note <text>', 'why, for people')
    .addOption(
      new Option(
        '--at <time>',
        'a moment in it, where replay or tune has told it and not the worker: 2026-11-20T14:03:07Z',
      ).argParser(parseMoment),
    )
    .option('-c, --config <file>', 'weir.yaml, whose state.directory it is kept in', 'weir.yaml')
    .addHelpText(
      'after',
      `
Examples:
  weir label key_abc123#1 true
  weir label key_b1001#4 false-alarm --note 'their Black Friday sale'
  weir label key_b1001#1 false-alarm --at 2026-11-27T10:04:00Z     of a replay or of weir tune
${exitCodesHelp}`,
    )
    .action(async (incident: string, verdict: Verdict, options: LabelOptions) =>
      (await import('./label-incident.ts')).labelIncident(incident, verdict, options),
    )
}
