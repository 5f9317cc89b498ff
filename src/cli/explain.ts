/** `weir explain`: why something was done about a key at a moment, or why nothing was. */
import { Command, Option } from 'commander'
import { formatNames } from '../core/formats/field-names.ts'
import { exitCodesHelp } from './exit.ts'
import type { ExplainOptions } from './explain-logs.ts'
import { parseMoment } from './moment.ts'
import { startThreads } from './replay-threads.ts'

export function explainCommand(): Command {
  return new Command('explain')
    .summary('why was something done about a key at a moment, or why nothing?')
    .description(
      'Runs recorded logs up to a moment and tells of one key what it did, what is usual for it, what each detector made ' +
        'of it, with the numbers in its formula, and what was decided, also where that was to do nothing. Times are UTC.',
    )
    .argument('<key>', 'id of the API key, or tenant:ID for all keys of a tenant with several')
    .argument('<log...>', 'the logs around the moment: what `weir replay` reads')
    .addOption(
      new Option(
        '--at <time>',
        'the moment: 2026-11-20T14:03:07Z, as Weir writes times; with another offset; or epoch ms',
      )
        .argParser(parseMoment)
        .conflicts(['from', 'to']),
    )
    .addOption(
      new Option('--from <time>', 'instead: explains the moment with the highest score from here').argParser(
        parseMoment,
      ),
    )
    .addOption(new Option('--to <time>', '… to here').argParser(parseMoment))
    .option('--history <log...>', 'what lies before the log: teaches what is usual; must end before it begins')
    .option(
      '-c, --config <file>',
      'weir.yaml (thresholds, field names, mode); tenants.yaml is looked for beside it, or without it beside the log',
    )
    .addOption(
      new Option('--mode <mode>', 'what Weir was allowed to do; a gateway that obeys is assumed')
        .choices(['observe', 'suggest', 'enforce'])
        .default(undefined, 'that of the configuration'),
    )
    .addOption(
      new Option(
        '--format <format>',
        'instead of what the content looks like; text and other gateways are named',
      ).choices(formatNames),
    )
    .option('--json', 'the same as one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  weir explain key_abc123 --at 2026-11-20T14:03:07Z friday.ndjson.gz --history week.ndjson.gz
  weir explain key_abc123 --from 2026-11-20T14:00Z --to 2026-11-20T15:00Z friday.ndjson.gz -c weir.yaml
                                                the hour's highest score
  weir explain key_abc123 --at 1795183387000 friday.ndjson.gz --json | jq .verdict
                                                decidedAtMs of a message, for machines

What had come of the log by that moment is what is judged, as it was then. Nothing after it is read.
${exitCodesHelp}`,
    )
    .action(
      async (
        keyId: string,
        logs: readonly string[],
        { at, from = at, to = at, ...options }: ExplainOptions & { at?: number; from?: number; to?: number },
        command: Command,
      ) => {
        if (from === undefined || to === undefined)
          command.error('error: which moment? --at a time, or --from one --to another')
        else if (to < from) command.error('error: --to lies before --from')
        else {
          const decodedAhead = startThreads([...(options.history ?? []), ...logs])
          const { explainLogs } = await import('./explain-logs.ts')
          await explainLogs({ keyId, stretch: { from, to } }, logs, options, process.stdout, decodedAhead)
        }
      },
    )
}
