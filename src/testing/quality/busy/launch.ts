/** A launch: the tenant lets its own customers in by and by, until it has eight times as many calls. */
import type { BusyDay } from '../contract.ts'
import { raisedDemand } from '../misbehaviour/raised-demand.ts'

const MULTIPLE = 8

export const launch: BusyDay = {
  name: 'launch',
  sentence: `within ten minutes ${MULTIPLE} times the usual calls, answered as usual`,
  seconds: 2_400,
  scope: 'tenant',
  start: scene => raisedDemand(scene, { multiple: MULTIPLE, overSeconds: 600 }),
}
