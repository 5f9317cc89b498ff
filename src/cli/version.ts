/** Which Weir this is, for `--version` and for whoever asks a running one. */
import { readFileSync } from 'node:fs'

/** From package.json, which stands above both src/cli and dist/src/cli. */
export function version(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'))
      if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version)
    } catch {
      // Not built, or built: the other one is there.
    }
  }
  return 'unknown'
}
