/**
 * A throw-away Apache Kafka: one node or three, each broker and KRaft controller together, loopback only, its data in a
 * temporary directory. The jars come from Maven Central, once. A test against it is a test against the real protocol.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  type KafkaSecurity,
  type ListenerProperties,
  type SecuredListener,
  securedListeners,
} from './kafka-security.ts'
import {
  cached,
  freePorts,
  type Progress,
  runToEnd,
  type ServerProcess,
  startProcess,
  throwAwayDirectory,
} from './server-process.ts'

export interface KafkaServer {
  /** `127.0.0.1:port` of the first broker, for `brokers`; anyone may speak to it in plain text. */
  readonly bootstrap: string
  /** Of every broker. */
  readonly brokers: readonly string[]
  /** Where the first broker asks for more; throws if it was not started with `security`. */
  secured(listener: SecuredListener): string
  /** Where the first broker keeps its logs: a folder for each partition. */
  readonly dataDirectory: string
  /** Ends one broker as a power cut would; by its node id, which is 1 and more. */
  kill(nodeId: number): Promise<void>
  /** Starts one that was killed again, at the same address and with its data. */
  revive(nodeId: number): Promise<void>
  /** Ends the first broker as a power cut would, keeps its data, and starts it again at the same address. */
  crashAndRestart(options?: { readonly awayMs: number }): Promise<void>
  stop(): Promise<void>
}

export interface KafkaOptions {
  /** Three keep every topic three times, and take a record when two have it. */
  readonly brokers?: 1 | 3
  /** Listeners that ask for TLS or a password stand beside the plain one. */
  readonly security?: KafkaSecurity
}

const version = '4.4.0'
export const kafkaJars = `kafka-${version}`

export async function startKafka(progress: Progress = () => {}, options: KafkaOptions = {}): Promise<KafkaServer> {
  const jars = await cached(kafkaJars, directory => fetchJars(directory, progress))

  // Another process may take a port between our looking and Kafka's listening: then we look again.
  for (let attempt = 1; ; attempt++) {
    const directory = await throwAwayDirectory('kafka')
    progress(`Starting Kafka ${version} in ${directory}`)
    try {
      return await startCluster(directory, jars, options)
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
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

async function startCluster(
  directory: string,
  jars: string,
  { brokers: size = 1, security }: KafkaOptions,
): Promise<KafkaServer> {
  const names = security === undefined ? [] : securedListeners
  // All at once: a port that was let go may be given out again.
  const allPorts = await freePorts(2 * size + names.length)
  const [ports, controllerPorts, listenerPorts] = [
    allPorts.slice(0, size),
    allPorts.slice(size, 2 * size),
    allPorts.slice(2 * size),
  ]
  const secured = new Map(names.map((name, index) => [name, `127.0.0.1:${listenerPorts[index]}`]))
  const id = clusterId()
  const voters = controllerPorts.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join()
  const java = (...args: string[]): [string, ...string[]] => ['java', ...jvm, '-cp', join(jars, '*'), ...args]

  const nodes = await Promise.all(
    ports.map(async (port, index) => {
      const name = `node-${index + 1}`
      const properties = join(directory, `${name}.properties`)
      const listeners = index === 0 && security !== undefined ? security.listeners(secured) : {}
      const controllerPort = controllerPorts[index] ?? 0
      const node = { nodeId: index + 1, port, controllerPort, voters, size, data: join(directory, name) }
      await mkdir(node.data)
      await writeFile(properties, nodeProperties(node, listeners))
      const scram = (security?.scram ?? []).flatMap(user => ['--add-scram', user])
      await runToEnd(java('kafka.tools.StorageTool', 'format', '-t', id, '-c', properties, ...scram))
      return { command: java('kafka.Kafka', properties), logFile: join(directory, `${name}.log`) }
    }),
  )
  const start = async ({ command, logFile }: { command: [string, ...string[]]; logFile: string }) => {
    const node = await startProcess(command, { logFile })
    await node.ready(log => (log.includes('Kafka Server started') ? 'started' : undefined))
    return node
  }
  const running = await allOrNone(nodes.map(start))
  return {
    bootstrap: `127.0.0.1:${ports[0]}`,
    brokers: ports.map(port => `127.0.0.1:${port}`),
    secured(listener) {
      const address = secured.get(listener)
      if (address === undefined) throw new Error('This broker was started without security')
      return address
    },
    dataDirectory: join(directory, 'node-1'),
    async kill(nodeId) {
      await running[nodeId - 1]?.stop()
    },
    async revive(nodeId) {
      const node = nodes[nodeId - 1]
      if (node) running[nodeId - 1] = await start(node)
    },
    async crashAndRestart({ awayMs } = { awayMs: 0 }) {
      await running[0]?.stop()
      await pause(awayMs)
      if (nodes[0]) running[0] = await start(nodes[0])
    },
    async stop() {
      await Promise.all(running.map(node => node.stop()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Where one does not start, the others are stopped. */
async function allOrNone(starting: readonly Promise<ServerProcess>[]): Promise<ServerProcess[]> {
  const settled = await Promise.allSettled(starting)
  const running = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = settled.find(one => one.status === 'rejected')
  if (failed === undefined) return running
  await Promise.all(running.map(node => node.stop()))
  throw failed.reason
}

/** A UUID in Kafka's spelling, which may not begin with a dash. */
function clusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

interface NodePlan {
  readonly nodeId: number
  readonly port: number
  readonly controllerPort: number
  readonly voters: string
  readonly size: number
  readonly data: string
}

function nodeProperties(node: NodePlan, security: ListenerProperties): string {
  const { size, nodeId, port, controllerPort, voters, data } = node
  const { listeners = '', protocols = '', ...others } = security
  const minIsr = size === 1 ? 1 : 2
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${listeners}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}${listeners}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT${protocols}`,
    'controller.quorum.voters': voters,
    'log.dirs': data,
    'auto.create.topics.enable': false,
    'default.replication.factor': size,
    'min.insync.replicas': minIsr,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': size,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': size,
    'transaction.state.log.min.isr': minIsr,
    // Retention is looked after once in five minutes unless told, which is longer than a test.
    'log.retention.check.interval.ms': 500,
    'log.segment.delete.delay.ms': 0,
    // The defaults wait for more members to come and refuse short sessions; tests have one member and little time.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    ...others,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
