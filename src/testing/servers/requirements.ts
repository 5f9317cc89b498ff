/**
 * What a test needs beyond Node, and whether this machine has it. A test that cannot run here is skipped loudly, with
 * what to install; in CI nothing may be skipped, so there a missing requirement is an error.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { sharedDataDirectory } from '../shared-data.ts'
import { kafkaJars } from './kafka.ts'
import { motoEnvironment } from './moto.ts'
import { cacheDirectory } from './server-process.ts'

export type Requirement = 'kafka' | 'openssl' | 'moto' | 'shared-data'

export type Availability =
  | { readonly ok: true }
  | { readonly ok: false; readonly missing: string; readonly install: string }

const checks: Readonly<Record<Requirement, () => Availability>> = {
  kafka: () =>
    javaVersion() >= 17 && (existsSync(join(cacheDirectory, kafkaJars)) || runs('mvn', '--version'))
      ? { ok: true }
      : { ok: false, missing: 'Java 17 and Maven', install: 'apt install openjdk-17-jre-headless maven' },
  openssl: () =>
    runs('openssl', 'version') ? { ok: true } : { ok: false, missing: 'OpenSSL 3', install: 'apt install openssl' },
  moto: () =>
    existsSync(join(cacheDirectory, motoEnvironment)) || runs('python3', '-c', 'import ensurepip, venv')
      ? { ok: true }
      : { ok: false, missing: 'Python 3 with venv', install: 'apt install python3 python3-venv' },
  'shared-data': () =>
    existsSync(sharedDataDirectory)
      ? { ok: true }
      : {
          ok: false,
          missing: `the real data sets in ${sharedDataDirectory}`,
          install: 'set WEIR_SHARED_DATA to their directory',
        },
}

const known = new Map<Requirement, Availability>()

export function needs(requirement: Requirement): Availability {
  const availability = known.get(requirement) ?? checks[requirement]()
  known.set(requirement, availability)
  if (!availability.ok && process.env.CI)
    throw new Error(`In CI nothing may be skipped, but ${availability.missing} is missing: ${availability.install}`)
  return availability
}

/** vitest's `describe`; where a requirement is missing it holds one test instead, skipped with the reason and the remedy. */
export function describeWith(requirement: Requirement | readonly Requirement[], name: string, body: () => void): void {
  const missing = [requirement].flat().flatMap(each => {
    const availability = needs(each)
    return availability.ok ? [] : [`needs ${availability.missing} (${availability.install})`]
  })
  if (missing.length === 0) describe(name, body)
  else describe(name, () => test('can run on this machine', ({ skip }) => skip(missing.join('; '))))
}

function javaVersion(): number {
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return status === 0 ? Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) : 0
}

function runs(...[command, ...args]: [string, ...string[]]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
