/** What the audit log is told of each change of a limit beside the change itself, by whom the worker is run: version, settings, tenant, grounds. */
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import type { TenantDirectory } from '../core/config/tenants.ts'
import { groundsBody } from '../core/explanation/json.ts'
import type { AuditOptions, OpenedAudit } from '../stores/audit.ts'
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
  const by = auditedBy(config)
  return {
    keepForMs: config.audit.keepFor,
    deleted: file => telemetry({ name: 'auditDeleted', file }),
    contextOf(entry) {
      const about = 'command' in entry ? entry.command : entry
      const keyId = 'keyId' in about ? about.keyId : undefined
      const explanation = 'incidentId' in entry ? grounds.of(entry) : undefined
      return {
        ...{ tenantId: keyId === undefined ? undefined : tenants().byKey.get(keyId)?.tenantId, mode: config.mode },
        ...{ ...by, grounds: explanation && groundsBody(explanation) },
      }
    },
  }
}

/** The same settings, the same digest: where a limit was changed under others than today's, that shows. */
export const auditedBy = (config: WeirConfig) => ({
  version: version(),
  config: createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16),
})

/** The log keeps its rule as long as the worker runs, also while no limit is changed. */
export const tidying =
  (audit: OpenedAudit, clock: Clock, tell: Telemetry): Telemetry =>
  event => {
    if (event.name === 'minuteSummarised') void audit.tidy(clock.now())
    tell(event)
  }
