/** `npm run server:moto`: a simulated AWS to try things against. Its endpoint on standard output, until Ctrl-C. */
import { startMoto } from './moto.ts'
import { serveUntilStopped } from './server-process.ts'

await serveUntilStopped(async progress => {
  const { endpoint, stop } = await startMoto(progress)
  return { address: endpoint, stop }
})
