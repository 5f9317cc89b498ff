/** `weir config`: every setting with its unit, default and range, from the schema that checks them. */
import { Command } from 'commander'
import { describeConfig } from '../core/config/reference.ts'

export function configCommand(): Command {
  return new Command('config')
    .summary('list every setting with its unit and default')
    .description('Prints the reference of weir.yaml and tenants.yaml as Markdown.')
    .addHelpText('after', () => `\n${describeConfig()}`)
    .action(() => {
      process.stdout.write(`${describeConfig()}\n`)
    })
}
