/** `weir replay`: recorded logs offline. */
import { Command, Option } from 'commander'
import { formatNames } from '../core/formats/field-names.ts'
import { exitCodesHelp } from './exit.ts'
import type { ReplayOptions } from './replay-logs.ts'
import type { RecordedOptions } from './replay-recorded.ts'
import { startThreads } from './replay-threads.ts'

/** What the command line says; which of the two kinds of replay it is, `recording` tells. */
interface ReplayWords extends ReplayOptions, RecordedOptions {
  readonly recording?: string
}

export function replayCommand(): Command {
  return new Command('replay')
    .summary('recorded logs offline: what would Weir have said?')
    .description(
      'Runs recorded logs through the same core as the worker, in event time and as fast as they can be read. ' +
        'Nothing outside is touched: no alert is sent, no limit is changed.',
    )
    .argument(
      '[log...]',
      'access logs, CloudWatch Logs envelopes or panes; plain, gzip or zstd; files, folders or - for standard input',
    )
    .addOption(
      new Option(
        '--recording <directory>',
        'instead of logs: what `weir run --record` kept. Decides it all again and compares; with --config or --mode judges it anew',
      ).conflicts(['history', 'format']),
    )
    .option(
      '--history <log...>',
      'what lies before the log: teaches what is usual, silently; must end before it begins',
    )
    .option(
      '-c, --config <file>',
      'weir.yaml (thresholds, field names, mode); tenants.yaml is looked for beside it, or without it beside the log',
    )
    .addOption(
      new Option('--mode <mode>', 'what Weir would have been allowed to do; a gateway that obeys is assumed')
        .choices(['observe', 'suggest', 'enforce'])
        .default(undefined, 'that of the settings or of a recording'),
    )
    .addOption(
      new Option(
        '--format <format>',
        'instead of what the content looks like; text and other gateways are named',
      ).choices(formatNames),
    )
    .option('--json', 'one line for each incident that opened, was mitigated, recovered or closed, and nothing else')
    .option('--fail-on-incident', 'exit with 1 if there was an incident, for use in CI')
    .addHelpText(
      'after',
      `
Examples:
  weir replay friday.ndjson.gz --history week.ndjson.gz
  weir replay *.gz --mode enforce               … and what it would have throttled
  weir replay friday.ndjson.gz --json | jq -r '[.decidedAt, .phase, .keyId, .kind] | @tsv'
  zcat access.log.gz | weir replay - --config weir.yaml
  weir replay --recording recorded              is every decision still the same?
  weir replay --recording recorded --config other.yaml
                                                what other settings would have made of it

Without --history the log's own past teaches: after some four minutes of a key something is known of it.
${exitCodesHelp}
     (with --fail-on-incident 1 also means: there was an incident; with --recording: a decision is not what it was)`,
    )
    .action(async (logs: readonly string[], { recording, ...options }: ReplayWords, command: Command) => {
      if (recording !== undefined) {
        if (logs.length > 0) command.error('error: --recording takes the place of logs: give one or the other')
        return (await import('./replay-recorded.ts')).replayRecorded(recording, options)
      }
      if (logs.length === 0) command.error("error: missing required argument 'log'")
      const decodedAhead = startThreads([...(options.history ?? []), ...logs])
      const { replayLogs } = await import('./replay-logs.ts')
      return replayLogs(logs, options, process.stdout, decodedAhead)
    })
}
