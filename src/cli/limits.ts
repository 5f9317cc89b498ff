/** `weir limits`: usage-plan limits that fit each client, and setting them so that it can be undone. The first isolation is a good static limit. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { formatNames } from '../core/formats/field-names.ts'
import { exitCodesHelp } from './exit.ts'
import type { ApplyOptions, ListOptions, UndoOptions } from './limits-change.ts'
import type { SuggestOptions } from './limits-suggest.ts'
import { startThreads } from './replay-threads.ts'

export function limitsCommand(): Command {
  return new Command('limits')
    .summary('usage-plan limits that fit each client: suggest, apply, undo')
    .description(
      'Usage-plan limits that fit what each client calls: suggested from its own history, set on a person’s word, journaled, and undone to the digit.',
    )
    .addCommand(suggestCommand())
    .addCommand(applyCommand())
    .addCommand(undoCommand())
    .addCommand(listCommand())
    .addHelpText(
      'after',
      `
Examples:
  weir limits suggest week.ndjson.gz            what would fit whom, and what they have now
  weir limits suggest --out limits.yaml         by what the worker knows; with a patch to review
  weir limits apply limits.yaml --dry-run       what would be set
  weir limits apply limits.yaml                 one plan in 20 seconds, as AWS allows
  weir limits undo --last                       all of it as it was before
${exitCodesHelp}`,
    )
}

const configOption = () =>
  new Option('-c, --config <file>', 'weir.yaml: gateway, throttle.floorPerSecond, pool, state.directory')

function suggestCommand(): Command {
  return new Command('suggest')
    .description(
      'Suggests rate and burst of each usage plan: by logs, played call by call, or without logs by what the worker’s state knows. Nothing is changed; the gateway is only read.',
    )
    .argument('[log...]', 'logs of a usual week, files or folders of them: what `weir learn` reads')
    .addOption(configOption())
    .addOption(
      new Option(
        '--format <format>',
        'instead of what the content looks like; text and other gateways are named',
      ).choices(formatNames),
    )
    .option('--headroom <times>', 'limits hold against so many times what was called', parseHeadroom, 1.5)
    .option(
      '--refuse-at-most <share>',
      'share of a client’s own past calls that may be refused: 0, 0.01%',
      parseShare,
      0,
    )
    .option('--least-days <days>', 'nothing is suggested for who is known for less', parseDays, 5)
    .option('--all-days', 'leave out no day, however unusual')
    .option('--no-gateway', 'do not ask the gateway what plans there are and have')
    .option('--out <file>', 'write a patch for weir limits apply: YAML, or JSON where the file is called .json')
    .option('--json', 'the same as one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
A plan's limits hold for each of its keys by itself, so a plan gets what the neediest of them needs. Of all rates and bursts that
refuse none of what was called the ones are taken that let least through in half a minute, with headroom, rounded up. A day
that needed five times what any other did is left out and named: a storm must not become the limit. Calls dated to the
whole second are taken to come at once. Limits of single methods, quotas and tags are neither read nor changed.`,
    )
    .action(async (logs: readonly string[], options: SuggestOptions) => {
      const decodedAhead = startThreads(logs)
      const { suggestLimits } = await import('./limits-suggest.ts')
      await suggestLimits(logs, options, undefined, decodedAhead)
    })
}

const byOption = () =>
  new Option('--as <name>', 'who it is that says so, for the audit log; without it the name of the user')

function applyCommand(): Command {
  return new Command('apply')
    .description(
      'Sets what a patch says, one plan in 20 seconds (40 where a worker runs, so that each second change is left to its throttles). A plan that has not what the patch says it had, or that Weir has lowered at the moment, is left alone and told.',
    )
    .argument('<patch>', 'what weir limits suggest --out wrote')
    .addOption(configOption().default('weir.yaml'))
    .addOption(byOption())
    .option('--dry-run', 'say what would be set, and set nothing')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nWhat is interrupted goes on when the same patch is applied again. weir limits undo brings back what was before.',
    )
    .action(async (patch: string, options: ApplyOptions) =>
      (await import('./limits-change.ts')).applyLimits(patch, options),
    )
}

function undoCommand(): Command {
  return new Command('undo')
    .description('Gives each plan of an apply what it had before, where it still has what was set.')
    .argument('[apply]', 'its id, as weir limits list shows it: apply-1')
    .option('--last', 'the newest that is not undone')
    .addOption(configOption().default('weir.yaml'))
    .addOption(byOption())
    .option('--dry-run', 'say what would be set, and set nothing')
    .option('-y, --yes', 'do not ask')
    .action(async (id: string | undefined, options: UndoOptions, command: Command) => {
      if ((id === undefined) === (options.last !== true)) command.error('error: which one? its id, or --last')
      else await (await import('./limits-change.ts')).undoLimits(id, options)
    })
}

function listCommand(): Command {
  return new Command('list')
    .description('What was applied when, by whom, and what of it stands.')
    .addOption(configOption().default('weir.yaml'))
    .option('--json', 'the same as one JSON object, and nothing else')
    .action(async (options: ListOptions) => (await import('./limits-change.ts')).listLimits(options))
}

function parseHeadroom(text: string): number {
  const times = Number(text)
  if (!(times >= 1 && times <= 100)) throw new InvalidArgumentError('a number from 1 to 100')
  return times
}

/** `0.01%` or `0.0001`. */
function parseShare(text: string): number {
  const isPercent = text.trim().endsWith('%')
  const share = Number(text.trim().replace(/%$/, '')) / (isPercent ? 100 : 1)
  if (text.trim() === '' || !(share >= 0 && share < 1)) throw new InvalidArgumentError('a share: 0, 0.01% or 0.0001')
  return share
}

function parseDays(text: string): number {
  const days = Number(text)
  if (!(days >= 0 && days <= 366)) throw new InvalidArgumentError('a number of days from 0 to 366')
  return days
}
