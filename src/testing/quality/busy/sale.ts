/** A sale: within minutes four times the calls, for half an hour, with no more errors than ever. */
import type { BusyDay } from '../contract.ts'
import { raisedDemand } from '../misbehaviour/raised-demand.ts'

const MULTIPLE = 4

export const sale: BusyDay = {
  name: 'sale',
  sentence: `within three minutes ${MULTIPLE} times the usual calls, answered as usual`,
  seconds: 1_800,
  scope: 'tenant',
  start: scene => raisedDemand(scene, { multiple: MULTIPLE, overSeconds: 180 }),
}
