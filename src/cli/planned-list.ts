/** What `weir planned` does. Standard output holds the answer only. */
import { readFile } from 'node:fs/promises'
import { systemClock } from '../clock.ts'
import type { TenantsConfig } from '../core/config/config.ts'
import { stretchJson, terminalSafe, times } from '../core/explanation/json.ts'
import { cleanText, stretchText, timeText } from '../core/explanation/text.ts'
import { type PlannedStretch, stretchesIn } from '../core/planned/planned-event.ts'
import type { Stretch } from '../core/planned/when.ts'
import { DAY_MS } from '../core/vocabulary.ts'
import { loadConfig } from './config-file.ts'

export interface PlannedOptions {
  readonly config: string
  readonly days: number
  readonly json?: boolean
}

/** `out` takes the answer and nothing else. Throws what configuring may throw. */
export async function listPlanned(
  who: string | undefined,
  { config, days, json }: PlannedOptions,
  out: { write(text: string): unknown } = process.stdout,
  now = systemClock().now(),
): Promise<void> {
  const reading = { readFile: (path: string) => readFile(path, 'utf8'), acts: false }
  const { tenants } = await loadConfig(config, reading)
  const span = { from: now, to: now + days * DAY_MS }
  const listed = plannedOf(tenants, who, span)
  out.write(json ? jsonOf(listed, span) : textOf(listed, span, { who, isListed: isListed(tenants, who) }))
}

interface Listed {
  readonly stretch: PlannedStretch
  /** Undefined: of every client. */
  readonly tenantId: string | undefined
  readonly name: string | undefined
}

function plannedOf({ tenants, planned }: TenantsConfig, who: string | undefined, span: Stretch): readonly Listed[] {
  const ofTenants = Object.entries(tenants)
    .filter(([tenantId, tenant]) => who === undefined || isMeant(who, tenantId, tenant))
    .flatMap(([tenantId, { name, planned }]) =>
      stretchesIn(planned, span).map(stretch => ({ stretch, tenantId, name: name ?? tenantId })),
    )
  const ofAll = stretchesIn(planned, span).map(stretch => ({ stretch, tenantId: undefined, name: undefined }))
  return [...ofAll, ...ofTenants].sort((one, other) => one.stretch.from - other.stretch.from)
}

const isMeant = (who: string, tenantId: string, { name, keys }: TenantsConfig['tenants'][string]): boolean =>
  who === tenantId || who.toLowerCase() === name?.toLowerCase() || keys.some(({ id }) => id === who)

const isListed = ({ tenants }: TenantsConfig, who: string | undefined): boolean =>
  who === undefined || Object.entries(tenants).some(([tenantId, tenant]) => isMeant(who, tenantId, tenant))

function textOf(
  listed: readonly Listed[],
  { from, to }: Stretch,
  { who = '', isListed }: { readonly who: string | undefined; readonly isListed: boolean },
): string {
  const until = `until ${timeText(to)}`
  return [
    ...(isListed ? [] : [`${cleanText(who)} is nobody’s in tenants.yaml: of it is planned what is of every client.`]),
    listed.length === 0 ? `Nothing is planned ${until}.` : `Planned ${until}:`,
    ...listed.map(({ stretch, name }) => {
      const now = stretch.from <= from ? ' (now)' : ''
      return `  ${name === undefined ? 'every client' : cleanText(name)}: ${stretchText(stretch)}${now}`
    }),
    '',
  ].join('\n')
}

function jsonOf(listed: readonly Listed[], { from, to }: Stretch): string {
  const events = listed.map(({ stretch, tenantId }) => ({ tenantId: tenantId ?? null, ...stretchJson(stretch) }))
  const body = { schema: 'weir.planned/1', ...times('from', from), ...times('to', to), events }
  return `${terminalSafe(JSON.stringify(body))}\n`
}
