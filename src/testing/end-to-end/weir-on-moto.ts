/** What most stories of a whole worker begin with: the command as it is built, and moto for the AWS that it finds. */
import { afterAll, beforeAll } from 'vitest'
import { type MotoServer, startMoto } from '../servers/moto.ts'
import { useDummyCredentials } from './aws-account.ts'
import { buildWeir } from './worker-process.ts'

export interface WeirOnMoto {
  /** moto's. There from a block's first test to its last. */
  readonly endpoint: string
}

/** To be called within `describe`: it lasts for the tests of that block. */
export function weirOnMoto(): WeirOnMoto {
  let moto: MotoServer | undefined
  beforeAll(async () => {
    useDummyCredentials()
    await buildWeir()
    moto = await startMoto()
  })
  afterAll(() => moto?.stop())
  return {
    get endpoint() {
      if (moto === undefined) throw new Error('moto has not been started yet')
      return moto.endpoint
    },
  }
}
