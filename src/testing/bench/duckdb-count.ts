/**
 * The yardstick, a process of its own: DuckDB counts calls and failures by key and minute over the file it is given, and
 * prints the sums, so that the bench sees that it read every line. It is told the format and the three columns it needs,
 * which is the fastest fair way: without them it would first sniff the file, and parse fields that nobody asked for.
 */
import { DuckDBInstance } from '@duckdb/node-api'

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: duckdb-count FILE')

const connection = await (await DuckDBInstance.create(':memory:')).connect()
const reply = await connection.runAndReadAll(
  `SELECT apiKeyId, requestTimeEpoch // 60000 AS minute, count(*) AS calls, count(*) FILTER (status >= 500) AS failed
   FROM read_json($file, format = 'newline_delimited', columns = { apiKeyId: 'VARCHAR', requestTimeEpoch: 'BIGINT', status: 'SMALLINT' })
   GROUP BY 1, 2`,
  { file },
)
const rows = reply.getRows()
const sum = (column: number): number => rows.reduce((total, row) => total + Number(row[column]), 0)
console.log(JSON.stringify({ groups: rows.length, calls: sum(2), failed: sum(3) }))
