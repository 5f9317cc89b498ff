/** Commands to a worker that runs: over HTTP, at the address it listens on, with the operator's token. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StreamError } from '../../core/errors.ts'
import type { CommandAnswer, OperatorCommand } from '../../core/operator.ts'
import { addressText, isWildcard, listenAddress } from '../../server/listen-address.ts'
import { operatorTokenFile } from '../operator-token.ts'

export interface RunningWorker {
  /** `server.listen` of weir.yaml. */
  readonly listen: string
  readonly directory: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Who holds the state directory. */
  readonly holder: { readonly pid: number; readonly host: string }
}

/** Long enough for a worker that is catching up to come to it. */
const PATIENCE_MS = 30_000

/** Throws WORKER_UNREACHABLE, and COMMAND_REFUSED with the worker's own reason. */
export async function commandWorker(
  command: OperatorCommand,
  by: string,
  worker: RunningWorker,
): Promise<Extract<CommandAnswer, { kind: 'obeyed' }>> {
  const url = urlOf(worker)
  const token = await tokenOf(worker)
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ command, by }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(cause => {
    throw unreachable(worker, `${url} does not answer (${reasonOf(cause)})`, cause)
  })
  const body: unknown = await response.json().catch(() => undefined)
  const answer =
    typeof body === 'object' && body !== null && 'answer' in body ? (body.answer as CommandAnswer) : undefined
  if (answer?.kind === 'obeyed') return answer
  if (answer?.kind === 'refused') throw refused(answer.because)
  const says = typeof body === 'object' && body !== null && 'says' in body ? String(body.says) : response.statusText
  throw unreachable(worker, `${url} answers ${response.status}: ${says}`)
}

function urlOf(worker: RunningWorker): string {
  const listen = listenAddress(worker.listen)
  if (listen === undefined) throw unreachable(worker, 'server.listen is off')
  const host = isWildcard(listen.host) ? '127.0.0.1' : listen.host
  return `http://${addressText({ ...listen, host })}/api/v1/commands`
}

async function tokenOf(worker: RunningWorker): Promise<string> {
  if (worker.env.WEIR_OPERATOR_TOKEN) return worker.env.WEIR_OPERATOR_TOKEN
  const path = join(worker.directory, operatorTokenFile)
  return readFile(path, 'utf8').then(
    text => text.trim(),
    cause => {
      throw unreachable(worker, `the operator's token cannot be read from ${path} (${reasonOf(cause)})`, cause)
    },
  )
}

function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  if (inner instanceof Error && 'code' in inner) return String(inner.code)
  return inner instanceof Error ? inner.message : String(inner)
}

const unreachable = ({ holder: { pid, host } }: RunningWorker, because: string, cause?: unknown): StreamError =>
  new StreamError('WORKER_UNREACHABLE', `The worker (process ${pid} on ${host}) cannot be told: ${because}`, {
    retry: 'later',
    hint: `Run this on ${host} as the worker's user, with the weir.yaml it runs with, or set WEIR_OPERATOR_TOKEN. Stop the worker to give limits back from its journal alone`,
    cause,
  })

const refused = (because: string): StreamError =>
  new StreamError('COMMAND_REFUSED', `The worker has not done it: ${because}`, {
    retry: 'never',
    hint: 'weir throttles list shows what is lowered',
  })
