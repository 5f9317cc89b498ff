/** `weir learn`: what is usual, from recorded logs, before the first run. */
import { Command, Option } from 'commander'
import { formatNames } from '../core/formats/field-names.ts'
import { exitCodesHelp } from './exit.ts'
import type { LearnOptions } from './learn-logs.ts'

export function learnCommand(): Command {
  return new Command('learn')
    .summary('learn from recorded logs what is usual, before the first run')
    .description(
      'Builds the baselines that weir run then starts from, in state.directory, and says what is known of whom. ' +
        'Nothing outside is touched.',
    )
    .argument(
      '<log...>',
      'files, or folders of them: access logs, CloudWatch Logs envelopes or counts; plain or gzip; - is standard input',
    )
    .option('-c, --config <file>', 'weir.yaml; tenants.yaml is looked for beside it', 'weir.yaml')
    .addOption(
      new Option(
        '--format <format>',
        'instead of what the content looks like; text and other gateways are named',
      ).choices(formatNames),
    )
    .option('--replace', 'put it in the place of what was learned before; never of what a worker has read')
    .option('--json', 'what is known of whom as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  weir learn week.ndjson.gz                     then: weir run
  weir learn day-*.gz --config weir.yaml        all at once: a second learning begins anew
  weir learn *.gz --replace --json | jq '.keys[] | select(.days < 3) | .keyId'

Seven days are remembered. The stream that weir run then reads must begin after the logs end: a call that counts in both
would be taken for usual and for new. Ctrl-C leaves everything as it was.
${exitCodesHelp}`,
    )
    .action(async (logs: readonly string[], options: LearnOptions) =>
      (await import('./learn-logs.ts')).learnLogs(logs, options),
    )
}
