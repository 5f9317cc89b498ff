/** What others ask of an incident without moving it. */
import type { Effect } from './effect.ts'
import type { Incident } from './incident.ts'

/** Whether a limit is lowered, or on its way down or up, because of this incident. */
export const holdsLimit = (incident: Incident): boolean =>
  (incident.phase === 'open' && incident.asked !== undefined) ||
  incident.phase === 'mitigated' ||
  (incident.phase === 'recovering' &&
    incident.givingBack !== undefined &&
    !(incident.givingBack.step === 'full' && incident.givingBack.doneAt !== undefined))

/** Whether people know that it has fallen silent, and it is not known to have called since. */
export const isToldSilent = (incident: Incident): incident is Extract<Incident, { phase: 'open' }> =>
  incident.phase === 'open' && incident.story.signal.kind === 'silence'

/** The id of the throttle or restore whose outcome it waits for. */
export const awaited = (incident: Incident): Effect['id'] | undefined =>
  incident.phase === 'open'
    ? incident.asked?.effectId
    : incident.phase === 'recovering' && incident.givingBack?.doneAt === undefined
      ? incident.givingBack?.effectId
      : undefined
