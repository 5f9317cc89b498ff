import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { StreamError } from '../core/errors.ts'
import { brokenOutput, exitCodeOf, failureText } from './exit.ts'
import { weirCommand } from './main.ts'

/** What a command line prints, and how it ends. */
async function say(...words: string[]) {
  let printed = ''
  const write = (text: string): void => {
    printed += text
  }
  const weir = weirCommand()
  for (const command of [weir, ...weir.commands]) command.configureOutput({ writeOut: write, writeErr: write })
  const ended: unknown = await weir.parseAsync(['node', 'weir', ...words]).catch((failure: unknown) => failure)
  return { printed, exitCode: ended instanceof CommanderError ? ended.exitCode : undefined }
}

test('help names every command, and what the exit codes mean', async () => {
  const { printed, exitCode } = await say('--help')
  for (const { name } of weirCommand().commands.map(command => ({ name: command.name() })))
    expect(printed).toContain(`  ${name}`)
  expect(printed).toContain('Exit codes:')
  expect(exitCode).toBe(0)
})

test('the commands that run something teach by examples', async () => {
  for (const name of ['run', 'learn', 'replay', 'explain', 'planned', 'demo']) {
    const { printed } = await say(name, '--help')
    expect(printed).toContain('Examples:\n  weir ')
  }
})

test('a wrong command line is told as every failure is, with where to look', async () => {
  for (const [words, complaint] of [
    [['run', '--mod', 'observe'], "weir: unknown option '--mod'"],
    [['wacth'], "weir: unknown command 'wacth'"],
    [['replay'], "weir: missing required argument 'log'"],
    [['replay', 'a.log', '--recording', 'kept'], 'weir: --recording takes the place of logs'],
    [['replay', '--recording', 'kept', '--history', 'a.log'], "weir: option '--recording <directory>' cannot be used"],
    [['run', '--record-max', '2GB'], 'weir: --record-max bounds what --record keeps'],
    [['run', '--record', 'kept', '--record-max', '2'], "weir: option '--record-max <size>' argument '2' is invalid."],
    [['planned', '--days', '0'], "weir: option '--days <days>' argument '0' is invalid."],
    [['demo', '--speed', '0'], "weir: option '--speed <times>' argument '0' is invalid."],
  ] as const) {
    const { printed, exitCode } = await say(...words)
    expect(printed.startsWith(complaint), printed).toBe(true)
    expect(printed).toContain('\n  weir --help')
    expect(exitCode).not.toBe(0)
  }
})

test('the description is wrapped by the screen, not in the middle of a line', async () => {
  const { printed } = await say('--help')
  const lines = printed.split('\n\n')[1]?.split('\n') ?? []
  expect(
    lines.slice(0, -1).every(line => line.length > 60),
    printed,
  ).toBe(true)
})

test('what a person must mend before trying again ends with 2, what the world did with 1', () => {
  expect(exitCodeOf(new StreamError('CONFIG_INVALID', 'wrong', { retry: 'never' }))).toBe(2)
  expect(exitCodeOf(new StreamError('SOURCE_LOST', 'gone', { retry: 'later' }))).toBe(1)
  expect(exitCodeOf(new TypeError('ours'))).toBe(1)
})

test('a reader who leaves is no failure, a disk that is full is a sentence', () => {
  expect(brokenOutput({ code: 'EPIPE', message: 'write EPIPE' })).toEqual({ exitCode: 0, text: '' })
  expect(brokenOutput({ code: 'ENOSPC', message: 'no space left' })).toEqual({
    exitCode: 1,
    text: 'weir: Cannot write to standard output: no space left\n',
  })
})

test('a failure is a sentence and a hint, and nothing in it can steer the terminal', () => {
  const failure = new StreamError('SOURCE_UNREADABLE', 'no topic \u001b[31mlogs', { retry: 'never', hint: 'make it' })
  expect(failureText(failure)).toBe('weir: no topic logs\n  make it\n')
})
