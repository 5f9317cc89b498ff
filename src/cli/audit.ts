/** `weir audit`: who or what changed which limit, when, on what evidence, from what to what. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { EpochMs } from '../core/vocabulary.ts'
import type { ExportOptions, ListOptions, VerifyOptions } from './audit-log.ts'
import { exitCodesHelp } from './exit.ts'
import { parseMoment } from './moment.ts'

export function auditCommand(): Command {
  return new Command('audit')
    .summary('who changed which limit, when, on what evidence, from what to what')
    .description(
      'Reads the audit log of state.directory, also while a worker runs. Each line holds the hash of the one before it.',
    )
    .addCommand(listCommand())
    .addCommand(exportCommand())
    .addCommand(verifyCommand())
    .addHelpText(
      'after',
      `
Examples:
  weir audit list --key key_abc123              what was done to one key's limit, for people
  weir audit export --since 2026-11-01 --format csv > november.csv
  weir audit verify                             was a line changed or cut out?
${exitCodesHelp}`,
    )
}

const configOption = () =>
  new Option('-c, --config <file>', 'weir.yaml, whose state.directory holds the log').default('weir.yaml')

const chosen = (command: Command): Command =>
  command
    .addOption(configOption())
    .addOption(
      new Option('--since <time>', 'from then on: 2026-11-20, 2026-11-20T14:03:07Z; days are UTC').argParser(
        parseDayOrMoment,
      ),
    )
    .addOption(new Option('--until <time>', '… and before then').argParser(parseDayOrMoment))
    .option('--key <key>', 'id of an API key')
    .option('--tenant <tenant>', 'id of a tenant')

function listCommand(): Command {
  return chosen(new Command('list').description('The newest entries, for people.'))
    .option('-n, --lines <number>', 'at most so many of the newest', parseLines, 50)
    .action(async (options: ListOptions) => (await import('./audit-log.ts')).listAudit(options))
}

function exportCommand(): Command {
  return chosen(new Command('export').description('All entries, oldest first, for machines and auditors.'))
    .addOption(
      new Option('--format <format>', 'ndjson: the lines as they were written; csv: a column each')
        .choices(['ndjson', 'csv'])
        .default('ndjson'),
    )
    .action(async (options: ExportOptions) => (await import('./audit-log.ts')).exportAudit(options))
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('Says whether a line was changed, cut out or cut off, and what the last hash is. Exit code 1 if so.')
    .addOption(configOption())
    .option(
      '--head <hash...>',
      'hashes that verify printed before and that were kept elsewhere: each must still be there',
    )
    .action(async (options: VerifyOptions) => (await import('./audit-log.ts')).verifyAuditLog(options))
}

/** A day stands for its beginning, UTC. */
function parseDayOrMoment(text: string): EpochMs {
  return parseMoment(/^\d{4}-\d{2}-\d{2}$/.test(text.trim()) ? `${text.trim()}T00:00Z` : text)
}

function parseLines(text: string): number {
  const lines = Number(text)
  if (!Number.isInteger(lines) || lines < 1) throw new InvalidArgumentError('a whole number from 1 on')
  return lines
}
