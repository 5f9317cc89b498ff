#!/usr/bin/env node
// The command's door: `npm ci` builds dist/ by the `prepare` script; a checkout without it is told how to get it.
import { existsSync } from 'node:fs'

const main = new URL('../dist/src/cli/main.js', import.meta.url)
if (!existsSync(main)) {
  console.error('weir is not built yet. Run: npm ci   (or, after a change: npm run build)')
  process.exit(2)
}
const { main: run } = await import(main.href)
await run(process.argv)
