/** What the audit log is told of each change of a limit beside the change itself, by whom the worker is run: version, settings, tenant, grounds. */
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import type { TenantDirectory } from '../core/config/tenants.ts'
import { groundsBody } from '../core/explanation/json.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import type { AuditEntry, AuditLog, AuditOptions } from '../stores/audit.ts'
import type { GroundsBook } from '../worker/grounds.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import { version } from './version.ts'

export interface Audited {
  readonly config: WeirConfig
  readonly tenants: () => TenantDirectory
  readonly grounds: GroundsBook
  readonly telemetry: Telemetry
}

export function auditOptions({ config, tenants, grounds, telemetry }: Audited): AuditOptions {
  const about = auditedBy(config)
  return {
    keepForMs: config.audit.keepFor,
    deleted: file => telemetry({ name: 'auditDeleted', file }),
    contextOf(entry) {
      const keyId = keyIn(entry)
      const explanation = entry.change === 'command' ? undefined : grounds.of(entry)
      return {
        ...{ tenantId: keyId === undefined ? undefined : tenants().byKey.get(keyId)?.tenantId, mode: config.mode },
        ...{ ...about, grounds: explanation && groundsBody(explanation) },
      }
    },
  }
}

function keyIn(entry: AuditEntry): ApiKeyId | undefined {
  if (entry.change !== 'command') return entry.keyId
  return 'keyId' in entry.command ? entry.command.keyId : undefined
}

/** The same settings, the same digest: where a limit was changed under others than today's, that shows. */
export const auditedBy = (config: WeirConfig) => ({
  version: version(),
  config: createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16),
})

/** The log keeps its rule as long as the worker runs, also while no limit is changed. */
export const tidying =
  (audit: AuditLog, clock: Clock, tell: Telemetry): Telemetry =>
  event => {
    if (event.name === 'minuteSummarised') void audit.tidy(clock.now())
    tell(event)
  }
