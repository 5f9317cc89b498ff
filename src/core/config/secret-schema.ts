/** Where a secret is, never the secret: a configuration is committed, mailed and shown. */
import { z } from 'zod'

export const secret = z
  .union([
    z.strictObject({ env: z.string().min(1).describe('environment variable that holds it') }),
    z.strictObject({ file: z.string().min(1).describe('file that holds it, from the folder of this one') }),
  ])
  .meta({ expected: '{env: NAME} or {file: path}, never the secret itself' })
