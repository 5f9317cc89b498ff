/** Whether a lowered limit holds goes into the audit log, beside who lowered it: a line for each of its plans. */
import type { Clock } from '../clock.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { Telemetry } from '../worker/telemetry.ts'

export const auditingVerdicts =
  ({ audit, clock }: { readonly audit: AuditLog; readonly clock: Clock }, tell: Telemetry): Telemetry =>
  event => {
    tell(event)
    if (event.name !== 'throttleVerified') return
    const { incidentId, keyId, verdict, because, bitesAfterMs } = event
    for (const { gateway, planId, limits } of event.plans) {
      // Not waited for: what cannot be written is told by the log itself.
      void audit.record({
        ...{ at: clock.now(), by: 'weir', change: 'verified', keyId, gateway, planId, incidentId, effectId: undefined },
        ...{ from: undefined, to: limits, result: verdict, because, bitesAfterMs },
      })
    }
  }
