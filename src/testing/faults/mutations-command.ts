/**
 * Whether the stories would notice: one rule of the worker after another is broken on purpose, in a copy of the build, and
 * seeds are told until a law is. Prints the table of README.md. Exits with 1 if a broken rule was not noticed.
 *
 *     npm run --silent build && node dist/src/testing/faults/mutations-command.js [part of a name]
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { built } from '../bench/part.ts'

interface Mutation {
  readonly name: string
  /** Of the build, below `src`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

const mutations: readonly Mutation[] = [
  {
    name: 'the journal is not synced',
    file: 'stores/effect-journal.js',
    from: 'bytes could be written`);\n    await file.sync();',
    to: 'bytes could be written`);',
  },
  {
    name: 'a torn end of the journal is taken for damage',
    file: 'stores/effect-journal.js',
    from: 'const torn = (newline',
    to: 'const torn = false && (newline',
  },
  {
    name: 'a checkpoint is not synced before it is renamed',
    file: 'stores/checkpoint.js',
    from: '        await file.sync();\n    }\n    finally {',
    to: '    }\n    finally {',
  },
  {
    name: 'a checkpoint’s directory is not synced',
    file: 'stores/checkpoint.js',
    from: '    await syncDirectory(disk, directory);\n    return bytes;',
    to: '    return bytes;',
  },
  {
    name: 'a checkpoint is taken in the middle of a turn',
    file: 'worker/keeper.js',
    from: 'const taken = await inTurn(async () => {',
    to: 'const taken = await (async (work) => work())(async () => {',
  },
  {
    name: 'a turn that failed half way is checkpointed',
    file: 'worker/keeper.js',
    from: 'if (!isWhole)\n                return undefined;',
    to: '',
  },
  {
    name: 'effects are begun before their intents are on disk',
    file: 'worker/keeper.js',
    from: 'await append([...intents',
    to: 'void append([...intents',
  },
  {
    name: 'a plan is changed before the journal says so',
    file: 'actions/ways/own-plan.js',
    from: 'const unwatched = await announce(effect, place, change);',
    to: 'const unwatched = void announce(effect, place, change);',
  },
  {
    name: 'outcomes are not journaled',
    file: 'worker/keeper.js',
    from: "await append([{ kind: 'outcome'",
    to: "await (async () => undefined)([{ kind: 'outcome'",
  },
  {
    name: 'what was journaled is not recalled after a crash',
    file: 'worker/keeper.js',
    from: 'if (entries.length > 0)\n            await feed(',
    to: 'if (false)\n            await feed(',
  },
  {
    name: 'open intents are not taken up again',
    file: 'worker/keeper.js',
    from: 'if (!isOutdated(effect))\n                performing.begin(effect);',
    to: '',
  },
  {
    name: 'no bound on throttled tenants',
    file: 'core/incident/response.js',
    from: 'question.throttledTenants >= policy.maxTenants',
    to: 'false',
  },
  {
    name: 'exempt tenants are throttled',
    file: 'core/incident/response.js',
    from: 'if (question.isExempt)',
    to: 'if (false)',
  },
  {
    name: 'a person’s change is overwritten',
    file: 'actions/ways/own-plan-decision.js',
    from: 'const after = mayHave(story, current.limits) ?',
    to: 'const after = true ?',
  },
  {
    name: 'the full limit is not quite the original',
    file: 'actions/ways/own-plan-decision.js',
    from: "if (effect.step === 'full')\n        return original;",
    to: "if (effect.step === 'full')\n        return original && { ...original, rateLimit: Math.floor(original.rateLimit) };",
  },
  {
    name: 'a throttle may raise a limit',
    file: 'actions/ways/own-plan-decision.js',
    from: 'rateLimit: Math.min(one.rateLimit, other.rateLimit)',
    to: 'rateLimit: Math.max(one.rateLimit, other.rateLimit)',
  },
  {
    name: 'shared plans are lowered',
    file: 'actions/ways/own-plan-targets.js',
    from: 'inPlan.value.some(other => !needs.has(other))',
    to: 'false',
  },
  {
    name: 'no answer is taken for success',
    file: 'actions/ways/own-plan.js',
    from: "if (now.kind === 'ok' && hasArrived(change, now.value))",
    to: "if (now.kind === 'ok')",
  },
  {
    name: 'an alert is tried once',
    file: 'actions/sns-sender.js',
    from: 'const because = refusal(error, topicArn);',
    to: "const because = 'tried once';",
  },
  {
    name: 'what waits of a partition that left is counted',
    file: 'worker/intake.js',
    from: 'waiting.delete(partition);\n            seen.delete(partition);',
    to: 'seen.delete(partition);',
  },
  {
    name: 'a worker does not ask whether the journal is still its own',
    file: 'stores/effect-journal.js',
    from: 'bytes += line.length;\n        await stillOurs();',
    to: 'bytes += line.length;',
  },
  {
    name: 'a worker does not ask before it writes a state',
    file: 'stores/checkpoint.js',
    from: 'await before.catch(() => undefined);\n        // First the lock: one who was frozen for so long that another took over must not write again.\n        await lock.check();',
    to: 'await before.catch(() => undefined);',
  },
  {
    name: 'workers do not share the bound on throttled tenants',
    file: 'actions/within-slots.js',
    from: "if (effect.kind === 'throttle' && !(await slots.take(keyId)))",
    to: 'if (false)',
  },
  {
    name: 'halted is not heeded',
    file: 'core/incident/response.js',
    from: 'if (question.isHalted)',
    to: 'if (false)',
  },
  {
    name: 'who was released is throttled again',
    file: 'core/incident/operator-order.js',
    from: 'released(spared(incident, by), by)',
    to: 'released(incident, by)',
  },
  {
    name: 'an extension counts twice',
    file: 'core/incident/operator-order.js',
    from: 'endsAt(throttle, incident.story) + byMs',
    to: 'endsAt(throttle, incident.story) + 2 * byMs',
  },
  {
    name: 'a schedule stays when the limit is back',
    file: 'actions/dead-mans-switch.js',
    from: 'orders.delete(name);\n        remove(order.giveBack);',
    to: 'orders.delete(name);',
  },
  {
    name: 'the dead man’s switch undoes people’s changes',
    file: 'core/incident/standing-order.js',
    from: "return mayHave.some(limits => sameLimits(limits, current)) ? 'restore' : 'others';",
    to: "return 'restore';",
  },
  {
    name: 'a key that left its plan stays out',
    file: 'actions/ways/penalty-plan.js',
    from: "return { name: 'penalty-plan', find, lower, restore, isTaken, resume }",
    to: "return { name: 'penalty-plan', find, lower, restore: async (effect, { movedKey }) => ({ place: { movedKey }, outcome: { kind: 'applied' } }), isTaken, resume }",
  },
]

const mostSeeds = 200
const only = process.argv[2] ?? ''
const folder = mkdtempSync(join(tmpdir(), 'weir-mutations-'))
const root = built('../../../..')
mkdirSync(folder, { recursive: true })
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
cpSync(join(root, 'package.json'), join(folder, 'package.json'))
let isMissed = false
try {
  for (const { name, file, from, to } of mutations.filter(mutation => mutation.name.includes(only))) {
    cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, force: true })
    const path = join(folder, 'dist', 'src', file)
    const text = readFileSync(path, 'utf8')
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold once what is to be broken: ${from}`)
    writeFileSync(
      path,
      text.replace(from, () => to),
    )
    const command = join(folder, 'dist', 'src', 'testing', 'faults', 'faults-command.js')
    const { stdout } = spawnSync(process.execPath, [command, '--seeds', `1-${mostSeeds}`, '--first', '--json'], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    })
    const [found] = stdout
      .split('\n')
      .flatMap(line => (line.startsWith('{') && line.includes('"broken"') ? [JSON.parse(line)] : []))
    isMissed ||= found === undefined
    process.stdout.write(
      `| ${name} | ${found?.seed ?? 'NOT FOUND'} | ${String(found?.broken ?? '')
        .split('\n')[0]
        ?.slice(0, 140)} |\n`,
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = isMissed ? 1 : 0
