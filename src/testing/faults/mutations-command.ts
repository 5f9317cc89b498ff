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
    file: 'actions/usage-plan.js',
    from: 'await announce(effect, place, change);',
    to: 'void announce(effect, place, change);',
  },
  {
    name: 'outcomes are not journaled',
    file: 'worker/keeper.js',
    from: "await append([{ kind: 'outcome'",
    to: "await (async () => undefined)([{ kind: 'outcome'",
  },
  {
    name: 'decisions are not recalled after a crash',
    file: 'worker/keeper.js',
    from: 'if (entries.length > 0)\n            await feed(',
    to: 'if (false)\n            await feed(',
  },
  {
    name: 'answers are not recalled after a crash',
    file: 'worker/recollections.js',
    from: "return [{ kind: 'outcome', report: { effectId: entry.effectId, outcome: entry.outcome }, at }];",
    to: 'return [];',
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
    file: 'actions/usage-plan-decision.js',
    from: 'if (!mayHave(story, current)) {',
    to: 'if (false) {',
  },
  {
    name: 'the full limit is not quite the original',
    file: 'actions/usage-plan-decision.js',
    from: 'return setUnless(current, story.original);',
    to: 'return setUnless(current, story.original && { ...story.original, rateLimit: Math.floor(story.original.rateLimit) });',
  },
  {
    name: 'a throttle may raise a limit',
    file: 'actions/usage-plan-decision.js',
    from: 'Math.min(current.rateLimit, wanted.rateLimit)',
    to: 'wanted.rateLimit',
  },
  {
    name: 'shared plans are lowered',
    file: 'actions/usage-plan-targets.js',
    from: 'inPlan.value.some(other => !needs.has(other))',
    to: 'false',
  },
  {
    name: 'no answer is taken for success',
    file: 'actions/usage-plan.js',
    from: "if (now.kind === 'ok' && sameLimits(now.value, change.after))",
    to: 'if (true)',
  },
  {
    name: 'an alert is tried once',
    file: 'actions/sns.js',
    from: 'const refused = refusal(error, topicArn);',
    to: "const refused = { kind: 'refused', because: 'tried once' };",
  },
  {
    name: 'what waits of a partition that left is counted',
    file: 'worker/intake.js',
    from: 'waiting.delete(partition);\n            seen.delete(partition);',
    to: 'seen.delete(partition);',
  },
]

const mostSeeds = 300
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
