/** `npm run server:kafka`: a broker to try things against. Its address on standard output, until Ctrl-C. */
import { startKafka } from './kafka.ts'
import { serveUntilStopped } from './server-process.ts'

await serveUntilStopped(async progress => {
  const { bootstrap, stop } = await startKafka(progress)
  return { address: bootstrap, stop }
})
