/**
 * A throw-away Apache Kafka: one node, broker and KRaft controller together, loopback only, its data in a temporary
 * directory. The jars come from Maven Central, once. A test against it is a test against the real protocol.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached, freePorts, type Progress, runToEnd, startProcess, throwAwayDirectory } from './server-process.ts'

export interface KafkaServer {
  /** `127.0.0.1:port`, for `brokers`. */
  readonly bootstrap: string
  /** Ends the broker as a power cut would, keeps its data, and starts it again at the same address. */
  crashAndRestart(): Promise<void>
  stop(): Promise<void>
}

const version = '4.4.0'
export const kafkaJars = `kafka-${version}`

export async function startKafka(progress: Progress = () => {}): Promise<KafkaServer> {
  const jars = await cached(kafkaJars, directory => fetchJars(directory, progress))

  // Another process may take a port between our looking and Kafka's listening: then we look again.
  for (let attempt = 1; ; attempt++) {
    try {
      return await startNode(jars, progress)
    } catch (error) {
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error
    }
  }
}

async function fetchJars(directory: string, progress: Progress): Promise<void> {
  progress(`Fetching Kafka ${version} from Maven Central (once, 43 MB)`)
  const project = await mkdtemp(join(tmpdir(), 'weir-kafka-jars-'))
  try {
    await writeFile(join(project, 'pom.xml'), projectWith([`org.apache.kafka:kafka_2.13:${version}`, logBinding]))
    await runToEnd([
      'mvn',
      '--quiet',
      '--batch-mode',
      `--file=${join(project, 'pom.xml')}`,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${directory}`,
    ])
  } finally {
    await rm(project, { recursive: true, force: true })
  }
}

/** Kafka comes without a log binding, and without one it says nothing, not even that it is ready. */
const logBinding = 'org.slf4j:slf4j-simple:1.7.36'

function projectWith(coordinates: readonly string[]): string {
  const dependencies = coordinates.map(coordinate => {
    const [group, artifact, artifactVersion] = coordinate.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${artifactVersion}</version></dependency>`
  })
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>${dependencies.join('')}</dependencies>
</project>
`
}

/** A small heap and the quick compiler only: it starts in seconds, and tests don't need its top speed. */
const jvm = [
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
]

async function startNode(jars: string, progress: Progress): Promise<KafkaServer> {
  const directory = await throwAwayDirectory('kafka')
  const [port = 0, controllerPort = 0] = await freePorts(2)
  const properties = join(directory, 'server.properties')
  const java = (...args: string[]): [string, ...string[]] => ['java', ...jvm, '-cp', join(jars, '*'), ...args]
  await mkdir(join(directory, 'data'))
  await writeFile(properties, nodeProperties({ port, controllerPort, data: join(directory, 'data') }))
  await runToEnd(java('kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', properties))

  progress(`Starting Kafka ${version} in ${directory}`)
  const start = async () => {
    const node = await startProcess(java('kafka.Kafka', properties), { logFile: join(directory, 'server.log') })
    await node.ready(log => (log.includes('Kafka Server started') ? 'started' : undefined))
    return node
  }
  let node = await start()
  return {
    bootstrap: `127.0.0.1:${port}`,
    async crashAndRestart() {
      await node.stop()
      node = await start()
    },
    async stop() {
      await node.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A UUID in Kafka's spelling, which may not begin with a dash. */
function clusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

function nodeProperties(node: { port: number; controllerPort: number; data: string }): string {
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.quorum.voters': `1@127.0.0.1:${node.controllerPort}`,
    'log.dirs': node.data,
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    // The defaults wait for more members to come and refuse short sessions; tests have one member and little time.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
