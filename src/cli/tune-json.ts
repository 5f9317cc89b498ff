/** What `weir tune` says to machines: `weir.tune/1`. Within a version fields are only added, and none changes its meaning. */
import { terminalSafe, times } from '../core/explanation/json.ts'
import { allowedIn, type Bill, type Stretch } from '../core/tuning/bill.ts'
import type { Difference } from '../core/tuning/difference.ts'
import type { Judged, TuneReport } from '../core/tuning/report.ts'
import type { ToldIncident } from '../core/tuning/told-incident.ts'
import { rejectedCounts } from './tune-text.ts'
