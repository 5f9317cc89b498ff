/** `weir config`: every setting with its unit, default and range, from the schema that checks them; or what a configuration may do in AWS. */
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { rolePolicies } from '../core/config/permissions.ts'
import { describeConfig } from '../core/config/reference.ts'
import { loadConfig } from './config-file.ts'

interface ConfigOptions {
  readonly iam?: true
  readonly config: string
}

export function configCommand(): Command {
  return new Command('config')
    .summary('list every setting with its unit and default, or the IAM policies that it needs')
    .description(
      'Prints the reference of weir.yaml and tenants.yaml as Markdown; with --iam the least that each role needs for a weir.yaml, as JSON.',
    )
    .option('--iam', 'the IAM policies of all who call AWS: Weir itself, the roles it takes on, the dead man’s switch')
    .option('-c, --config <file>', 'with --iam: the weir.yaml they are for', 'weir.yaml')
    .addHelpText('after', () => `\n${describeConfig()}`)
    .action(async ({ iam, config: path }: ConfigOptions) => {
      process.stdout.write(iam ? await policiesText(path) : `${describeConfig()}\n`)
    })
}

async function policiesText(path: string): Promise<string> {
  const { config } = await loadConfig(path, { readFile: file => readFile(file, 'utf8') })
  return `${JSON.stringify(rolePolicies(config), undefined, 2)}\n`
}
