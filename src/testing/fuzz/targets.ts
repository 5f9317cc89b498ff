/** All that reads what comes from outside. */
import { askedTargets } from './asked-targets.ts'
import { configTargets } from './config-targets.ts'
import { logTargets } from './log-targets.ts'
import { packedTargets } from './packed-targets.ts'
import { stateTargets } from './state-targets.ts'
import type { FuzzTarget } from './target.ts'

export const targets: readonly FuzzTarget[] = [
  ...[...logTargets, ...packedTargets, ...configTargets, ...stateTargets, ...askedTargets],
]
