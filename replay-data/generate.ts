/**
 * Makes the recorded stories again from their seeds: `npm run build && node dist/replay-data/generate.js [folder]`.
 * The texts come out the same to the byte; the gzip around them depends on the zlib of the day.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { constants, gzipSync } from 'node:zlib'
import { stringify } from 'yaml'
import { type Story, stories, storyHistory, storyLog, storyTenants } from '../src/simulation/story.ts'

const [folder = 'replay-data'] = process.argv.slice(2)
for (const story of stories) write(story, join(folder, story.name))

function write(story: Story, storyFolder: string): void {
  mkdirSync(storyFolder, { recursive: true })
  const log = compress([...storyLog(story)].join(''))
  const history = compress([...storyHistory(story)].join(''))
  writeFileSync(join(storyFolder, 'log.ndjson.gz'), log)
  writeFileSync(join(storyFolder, 'history.ndjson.gz'), history)
  writeFileSync(join(storyFolder, 'tenants.yaml'), stringify(storyTenants(story)))
  process.stdout.write(`${story.name}: log ${log.length} bytes, history ${history.length} bytes\n`)
}

function compress(text: string): Buffer {
  return gzipSync(text, { level: constants.Z_BEST_COMPRESSION, memLevel: 9 })
}
