/** How recorded logs are decoded. Loads little, so that threads can be told before the settings are read. */
import { resolve } from 'node:path'
import { type DecoderOptions, maxRecordBytes } from '../core/formats/decoder.ts'
import type { FieldSettings, FormatName } from '../core/formats/field-names.ts'
import { borrowHashSecret } from './hash-secret.ts'

interface DecodingSettings {
  readonly format: FormatName
  readonly fields: FieldSettings
  readonly state: { readonly directory: string }
}

export async function decodingOf(
  { format, fields, state }: DecodingSettings,
  env: Readonly<Record<string, string | undefined>>,
): Promise<DecoderOptions> {
  return { format, fields, hashSecret: await borrowHashSecret(resolve(state.directory), env), maxRecordBytes }
}

/** What the settings come to where there is no weir.yaml. */
export const settingsWithoutConfig: DecodingSettings = { format: 'auto', fields: {}, state: { directory: '.weir' } }
