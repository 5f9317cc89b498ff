/** The command `weir`: one file a command, registered here. Clock, chance, environment and signals enter in this folder only. */
import { Command, CommanderError } from 'commander'
import { alertsCommand } from './alerts.ts'
import { auditCommand } from './audit.ts'
import { configCommand } from './config.ts'
import { demoCommand } from './demo.ts'
import { brokenOutput, exitCodeOf, exitCodes, exitCodesHelp, failureText } from './exit.ts'
import { explainCommand } from './explain.ts'
import { labelCommand } from './label.ts'
import { learnCommand } from './learn.ts'
import { limitsCommand } from './limits.ts'
import { plannedCommand } from './planned.ts'
import { replayCommand } from './replay.ts'
import { runCommand } from './run.ts'
import { throttlesCommand } from './throttles.ts'
import { tuneCommand } from './tune.ts'
import { version } from './version.ts'

/** `argv` as node has it. Sets the process's exit code; ends nothing by force, so that what is being written is written. */
export async function main(argv: readonly string[]): Promise<void> {
  // Which Node there must be is for us to say (package.json), not for the AWS SDK, in eight lines before our own.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  stopWhenNobodyReads()
  try {
    await weirCommand().parseAsync([...argv])
  } catch (failure) {
    if (failure instanceof CommanderError) {
      // Commander has said it already. Help and version are answers, anything else is a wrong command line.
      process.exitCode = failure.exitCode === 0 ? exitCodes.ok : exitCodes.unusable
      return
    }
    process.stderr.write(failureText(failure))
    process.exitCode = exitCodeOf(failure)
  }
}

/** `weir replay … | head`: whoever read has gone, and there is no use in going on; nor on a disk that is full. */
function stopWhenNobodyReads(): void {
  let isStopping = false
  process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
    if (isStopping) return
    isStopping = true
    const { exitCode, text } = brokenOutput(failure)
    process.stderr.write(text)
    process.exitCode = exitCode
    if (process.listenerCount('SIGTERM') > 0) process.kill(process.pid, 'SIGTERM')
    else process.exit(exitCode)
  })
}

export function weirCommand(): Command {
  const weir = new Command('weir')
    .description(
      'Watches every tenant of an API against its own last seven days, alerts within seconds, and throttles the one that would drown the others.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText(
      'after',
      `
Examples:
  weir demo                                      the PayFlow story, on this machine alone
  weir learn week.ndjson.gz                      learn from recorded logs what is usual, before the first run
  weir run --config weir.yaml                    watch a Kafka topic, a Kinesis stream or files
  weir replay friday.ndjson.gz --history week.ndjson.gz
                                                 what would Weir have said about a recorded log?
  weir explain key_abc123 --at 2026-11-20T14:03:07Z friday.ndjson.gz --history week.ndjson.gz
                                                 … and why, or why did it say nothing?
  weir tune november.ndjson.gz --html tune.html  fewer false alarms, and how soon? thresholds for weir.yaml
  weir throttles list                            whose limits are lowered? release, hold, halt
${exitCodesHelp}`,
    )
  for (const command of [
    runCommand(),
    learnCommand(),
    replayCommand(),
    explainCommand(),
    plannedCommand(),
    labelCommand(),
    alertsCommand(),
    tuneCommand(),
    throttlesCommand(),
    demoCommand(),
    limitsCommand(),
    auditCommand(),
    configCommand(),
  ])
    weir.addCommand(command)
  // Also for the commands: a wrong option comes here as an error instead of ending the process.
  for (const command of withAllBelow(weir)) {
    command
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'weir: ')) })
      .showHelpAfterError('  weir --help shows what there is')
  }
  return weir
}

/** A command with those below it. */
const withAllBelow = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(withAllBelow)]
