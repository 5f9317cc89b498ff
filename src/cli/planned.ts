/** `weir planned`: what tenants.yaml plans, as times: whether the calendar was understood as it was meant. */
import { Command, InvalidArgumentError } from 'commander'
import { exitCodesHelp } from './exit.ts'
import type { PlannedOptions } from './planned-list.ts'

export function plannedCommand(): Command {
  return new Command('planned')
    .summary('when are the next planned events?')
    .description(
      'Lists when the events that are `planned` in tenants.yaml are, those that go on now first. Times are UTC, whatever zone they are written in.',
    )
    .argument('[who]', 'id of an API key, or id or name of a tenant; without it everybody')
    .option('-c, --config <file>', 'weir.yaml; tenants.yaml is looked for beside it', 'weir.yaml')
    .option('--days <days>', 'how far to look ahead', parseDays, 30)
    .option('--json', 'the same as one JSON object, and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  weir planned                                  of all, the next 30 days
  weir planned client-a --days 365              of one client, with what is planned of every client
${exitCodesHelp}`,
    )
    .action(async (who: string | undefined, options: PlannedOptions) =>
      (await import('./planned-list.ts')).listPlanned(who, options),
    )
}

const MOST_DAYS = 366

function parseDays(text: string): number {
  const days = Number(text)
  if (!Number.isInteger(days) || days < 1 || days > MOST_DAYS)
    throw new InvalidArgumentError(`a whole number from 1 to ${MOST_DAYS}`)
  return days
}
