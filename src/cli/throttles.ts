/** `weir throttles`: whose limits are lowered, why and until when; and a person's word on them. */
import { Command, InvalidArgumentError } from 'commander'
import { exitCodesHelp } from './exit.ts'
import type { Act, ActOptions } from './throttles/act.ts'
import type { ListOptions } from './throttles/list-throttles.ts'
import type { ShowOptions } from './throttles/show-throttle.ts'

export function throttlesCommand(): Command {
  const throttles = new Command('throttles')
    .summary('whose limits are lowered, and give them back')
    .description(
      'Lists whose limits Weir has lowered, tells the story of each, and takes your word on them. A worker that runs is told over ' +
        'HTTP (server.listen); where none runs, limits are given back from its journal alone.',
    )
    .addHelpText(
      'after',
      `
Examples:
  weir throttles list                           who is throttled, since when, until when, why
  weir throttles show key_abc123                … and all that was done and said about it
  weir throttles release key_abc123             give its whole limit back now
  weir throttles release --all                  … of everybody; also with no worker and no checkpoint
  weir throttles extend key_abc123 --by 30m     later, unless it is calm
  weir throttles hold key_abc123 --for 24h      until then, whatever it does
  weir throttles halt                           give all back, and throttle nobody until go-on
${exitCodesHelp}`,
    )
  for (const command of [list(), show(), release(), extend(), hold(), halt(), goOn()]) throttles.addCommand(command)
  return throttles
}

const withPlace = (command: Command): Command =>
  command
    .option('-c, --config <file>', 'weir.yaml; tenants.yaml is looked for beside it', 'weir.yaml')
    .option('--state <directory>', 'the state directory, also where the configuration is lost')

const withActor = (command: Command): Command =>
  withPlace(command).option('--as <name>', "who says so, for the audit; without it the operating system's user")

const list = (): Command =>
  withPlace(new Command('list').description('Lists whose limits are lowered.'))
    .option('--json', 'the same as one JSON object, and nothing else')
    .action(async (options: ListOptions) => (await import('./throttles/list-throttles.ts')).listThrottles(options))

const show = (): Command =>
  withPlace(
    new Command('show')
      .description('Tells the whole story: evidence, what was done, what came of it, who said what.')
      .argument('<key|incident>', 'a key, an incident (key_abc123#1), or a tenant of tenants.yaml'),
  )
    .option('--json', 'the same as one JSON object, and nothing else')
    .action(async (name: string, options: ShowOptions) =>
      (await import('./throttles/show-throttle.ts')).showThrottle(name, options),
    )

const release = (): Command =>
  withActor(
    new Command('release')
      .description('Gives a whole limit back now; the key is not throttled again in the same incident.')
      .argument('[key]', 'a key, an incident (key_abc123#1), or a tenant of tenants.yaml'),
  )
    .option('--all', 'all limits that are lowered')
    .option('--yes', 'with --all: without asking')
    .action(async (name: string | undefined, options: ActOptions & { readonly all?: boolean }, command: Command) => {
      if ((name === undefined) === (options.all !== true)) command.error('error: name a key, or give --all')
      await act(name === undefined ? { kind: 'release-all' } : { kind: 'release', name }, options)
    })

const extend = (): Command =>
  withActor(
    new Command('extend')
      .description('Lets a throttle end later, at most 7 days from now. Calm gives it back all the same.')
      .argument('<key>', 'a key, an incident (key_abc123#1), or a tenant of tenants.yaml'),
  )
    .requiredOption('--by <duration>', 'how much later: 30m, 2h', parseDuration)
    .action(async (name: string, options: ActOptions & { readonly by: number }) =>
      act({ kind: 'extend', name, byMs: options.by }, options),
    )

const hold = (): Command =>
  withActor(
    new Command('hold')
      .description('Keeps a limit lowered whatever the key does: neither calm nor expiry gives it back before.')
      .argument('<key>', 'a key, an incident (key_abc123#1), or a tenant of tenants.yaml'),
  )
    .option('--for <duration>', 'how long from now, at most 7d', parseDuration, 24 * 60 * 60_000)
    .action(async (name: string, options: ActOptions & { readonly for: number }) =>
      act({ kind: 'hold', name, forMs: options.for }, options),
    )

const halt = (): Command =>
  withActor(
    new Command('halt').description('The kill switch: gives every limit back and throttles nobody until go-on.'),
  ).action(async (options: ActOptions) => act({ kind: 'halt' }, options))

const goOn = (): Command =>
  withActor(new Command('go-on').description('Lets Weir throttle again after halt.')).action(
    async (options: ActOptions) => act({ kind: 'go-on' }, options),
  )

const act = async (what: Act, options: ActOptions): Promise<void> =>
  (await import('./throttles/act.ts')).act(what, options)

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** ms. A bare number is refused: a unit nobody wrote is a unit somebody guessed. */
function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(s|m|h|d)$/.exec(text) ?? []
  const ms = Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN)
  if (!(ms > 0)) throw new InvalidArgumentError('It must be a duration with its unit: 30m, 24h, 2d.')
  return ms
}
