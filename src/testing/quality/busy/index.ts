/** All busy days: of one tenant, then of the whole platform. */
import type { BusyDay } from '../contract.ts'
import { batches } from './batch.ts'
import { deploy } from './deploy.ts'
import { holiday } from './holiday.ts'
import { launch } from './launch.ts'
import { outages } from './outage.ts'
import { sale } from './sale.ts'
import { shiftedDays } from './shifted-day.ts'

export const busyDays: readonly BusyDay[] = [sale, launch, ...batches, ...shiftedDays, holiday, deploy, ...outages]
