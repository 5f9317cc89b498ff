/** `weir tune`: which thresholds a recorded history would have wanted. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { formatNames } from '../core/formats/field-names.ts'
import { exitCodesHelp } from './exit.ts'
import { startThreads } from './replay-threads.ts'
import type { TuneOptions } from './tune-logs.ts'

export function tuneCommand(): Command {
  return new Command('tune')
    .summary('recorded logs under other thresholds: how many false alarms, how soon?')
    .description(
      'Reads recorded logs once, replays them under many settings, and suggests the one that costs no more false alarms ' +
        'than you want and tells soonest, as a ready piece of weir.yaml. It is chosen by the first part of the log; how it does on the ' +
        'last part, which it has not seen, stands beside it. Nothing outside is touched.',
    )
    .argument('<log...>', 'some weeks of logs: what `weir replay` reads')
    .option('--history <log...>', 'what lies before the log: teaches what is usual; must end before it begins')
    .option(
      '-c, --config <file>',
      'weir.yaml that is tuned; tenants.yaml is looked for beside it, or without it beside the log',
    )
    .option('--labels <file>', 'what was said of incidents; without it labels.ndjson of state.directory')
    .addOption(
      new Option(
        '--hold-out <days>',
        'so many days at the end of the log are not tuned on; without it the last third',
      ).argParser(parseDays),
    )
    .addOption(
      new Option(
        '--budget <alarms>',
        'false alarms that the whole fleet may cost, like 1 per week: a page counts one, an alert of low severity a twentieth; without it alertBudget of the configuration',
      ),
    )
    .addOption(
      new Option('--tries <count>', 'so many other settings are replayed at most; 0: the present one only')
        .argParser(parseTries)
        .default(24),
    )
    .option('--against <file>', 'another weir.yaml: which incidents come, go or move under it?')
    .addOption(
      new Option(
        '--format <format>',
        'instead of what the content looks like; text and other gateways are named',
      ).choices(formatNames),
    )
    .option('--html <file>', 'writes a page with plots and tables, of one file, that needs no network')
    .option('--json', 'all of it as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  weir tune november.ndjson.gz --config weir.yaml --html tune.html
  weir tune day-*.gz --budget '2 per month' --hold-out 7
  weir tune week.ndjson.gz --tries 0 --against other.yaml      two configurations over the same history
  weir label key_b1001#1 false-alarm                           … so that the next tuning knows better

Of an incident that nobody has labelled half counts as a false alarm. Each setting is replayed as a whole, since what is decided
changes what is known later: 24 of them take about as long as 24 replays, shared by all cores, and 14 bytes a call in the
temporary folder.
${exitCodesHelp}`,
    )
    .action(async (logs: readonly string[], options: TuneOptions) => {
      const decodedAhead = startThreads([...(options.history ?? []), ...logs])
      const { tuneLogs } = await import('./tune-logs.ts')
      return tuneLogs(logs, options, undefined, decodedAhead)
    })
}

function parseDays(text: string): number {
  const days = Number(text)
  if (!(days > 0)) throw new InvalidArgumentError('It is a number of days above 0.')
  return days
}

function parseTries(text: string): number {
  const tries = Number(text)
  if (!Number.isInteger(tries) || tries < 0 || tries > 10_000)
    throw new InvalidArgumentError('It is a whole number from 0 to 10,000.')
  return tries
}
