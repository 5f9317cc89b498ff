/** `weir demo`, which is `npm start`: the Friday at PayFlow on this machine alone. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { DemoOptions } from './demo-world.ts'
import { exitCodesHelp } from './exit.ts'

export function demoCommand(): Command {
  return new Command('demo')
    .summary('the PayFlow story, on this machine alone')
    .description(
      'Plays the Friday incident of a payment API with 200 clients: one of them drowns the others, and Weir is in between. Needs no account, no broker and no network.',
    )
    .option('--speed <times>', 'how many times as fast as life', readSpeed, 10)
    .option('--once', 'end after the story instead of going on with normal traffic')
    .option('--leaky', 'the gateway takes the lowered limit and lets the calls through all the same')
    .addOption(
      new Option('--mode <mode>', 'what Weir may do about it')
        .choices(['observe', 'suggest', 'enforce'])
        .default('enforce'),
    )
    .addHelpText(
      'after',
      `
Examples:
  weir demo                    with throttling
  weir demo --mode observe     the same Friday, alerts only: what it costs the other clients
  weir demo --leaky            a throttle that does not bite: who is told, and what to do
  weir demo --once             ends by itself after about a minute
${exitCodesHelp}`,
    )
    .action(async (options: DemoOptions) => (await import('./demo-world.ts')).demo(options))
}

function readSpeed(text: string): number {
  const speed = Number(text)
  if (!(speed >= 1 && speed <= 30)) throw new InvalidArgumentError('A number from 1 to 30.')
  return speed
}
