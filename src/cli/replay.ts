/** `weir replay`: recorded logs offline. */
import { Command, Option } from 'commander'
import { exitCodesHelp } from './exit.ts'
import type { ReplayOptions } from './replay-logs.ts'
import { startThreads } from './replay-threads.ts'

export function replayCommand(): Command {
  return new Command('replay')
    .summary('recorded logs offline: what would Weir have said?')
    .description(
      'Runs recorded logs through the same core as the worker, in event time and as fast as they can be read. ' +
        'Nothing outside is touched: no alert is sent, no limit is changed.',
    )
    .argument('<log...>', 'access logs, CloudWatch Logs envelopes or panes; plain or gzip; - is standard input')
    .option(
      '--history <log...>',
      'what lies before the log: teaches what is usual, silently; must end before it begins',
    )
    .option(
      '-c, --config <file>',
      'weir.yaml (thresholds, field names); tenants.yaml is looked for beside it, or without it beside the log',
    )
    .addOption(
      new Option('--mode <mode>', 'what Weir would have been allowed to do; a gateway that obeys is assumed')
        .choices(['observe', 'suggest', 'enforce'])
        .default('observe'),
    )
    .addOption(
      new Option('--format <format>', 'instead of what the content looks like').choices([
        'auto',
        'access-log',
        'cloudwatch-logs',
        'panes',
      ]),
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

Without --history the log's own past teaches: after some four minutes of a key something is known of it.
${exitCodesHelp}
     (with --fail-on-incident 1 also means: there was an incident)`,
    )
    .action(async (logs: readonly string[], options: ReplayOptions) => {
      const threadFor = startThreads([...(options.history ?? []), ...logs])
      await (await import('./replay-logs.ts')).replayLogs(logs, options, process.stdout, threadFor)
    })
}
