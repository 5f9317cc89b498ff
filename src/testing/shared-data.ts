/**
 * Where the real data sets are, if they are: beside the project, unless WEIR_SHARED_DATA says otherwise. In a file of its
 * own, because benches read them too: built, a folder deeper, and without a test runner.
 */
import { fileURLToPath } from 'node:url'

const project = new URL(import.meta.url.includes('/dist/src/testing/') ? '../../../' : '../../', import.meta.url)

export const sharedDataDirectory = process.env.WEIR_SHARED_DATA ?? fileURLToPath(new URL('../shared/data', project))
