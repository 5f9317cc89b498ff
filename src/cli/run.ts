/** `weir run`: the worker on a real stream. What it needs is loaded when it is called: other commands need no AWS, no Kafka. */
import { Command, Option } from 'commander'
import { exitCodesHelp } from './exit.ts'
import type { RunOptions } from './run-worker.ts'
import { parseSize } from './size.ts'

export function runCommand(): Command {
  return new Command('run')
    .summary('watch a stream: Kafka, Kinesis or files')
    .description(
      'Runs the worker: reads the stream, watches every tenant, alerts, and in mode enforce lowers usage plans.',
    )
    .option('-c, --config <file>', 'weir.yaml; tenants.yaml is looked for beside it', 'weir.yaml')
    .option(
      '--history <log...>',
      'logs or counts of the days before, to learn what is usual; read once, when there is no state yet. `cloudwatch`: a metric by key',
    )
    .addOption(
      new Option('--mode <mode>', 'instead of the mode in the file').choices(['observe', 'suggest', 'enforce']),
    )
    .addOption(
      new Option('--log <kind>', 'for a person or for machines; without it: human on a terminal, else json').choices([
        'human',
        'json',
      ]),
    )
    .option('--record <directory>', 'keep what it is fed and what it decides there, for weir replay --recording')
    .addOption(
      new Option('--record-max <size>', 'so much of it at most: then the oldest goes')
        .argParser(parseSize)
        .default(2e9, '2GB'),
    )
    .addHelpText(
      'after',
      `
Examples:
  weir run                                      with ./weir.yaml
  weir run --config weir.yaml --history week.ndjson.gz
                                                begin knowing what the last week was like
  weir run --history cloudwatch                 the same from a metric, see metrics.cloudWatch.history
  weir run --mode observe                       alert, touch nothing
  weir run --record recorded --record-max 500MB
                                                keep the last of what it saw: key ids and counts, no payloads
  weir run --log json | jq 'select(.level != "info")'

It goes on from its checkpoint in state.directory. Ctrl-C or SIGTERM stops it cleanly: limits that are lowered then
stay so until it is started again, which gives them back.
${exitCodesHelp}`,
    )
    .action(async (options: RunOptions, command: Command) => {
      if (options.record === undefined && command.getOptionValueSource('recordMax') === 'cli')
        command.error('error: --record-max bounds what --record keeps: give --record too')
      return (await import('./run-worker.ts')).run(options)
    })
}
