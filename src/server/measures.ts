/**
 * One registry of Prometheus measures and the ways to make one. Labels are closed lists: no key, no tenant, no text of a log,
 * so that the number of series does not grow with the fleet. What is not known has no value, rather than a 0.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Described {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
}

export interface Measures {
  /** Its own: two workers in one process would else add up. */
  readonly registry: Registry
  /** All that were made here, for the table in the README. */
  readonly described: readonly Described[]
  counter(name: string, help: string, ...labels: string[]): Counter
  /** A count that somebody else keeps, asked when it is read. */
  countOf(name: string, help: string, label: string, counts: () => Iterable<readonly [string, number]>): void
  /** Asked when it is read; undefined: it has no value. */
  gauge(name: string, help: string, value: () => number | undefined): void
  /** One for each of a closed list. */
  gauges(name: string, help: string, label: string, values: () => Iterable<readonly [string, number]>): void
  /** Buckets in seconds. */
  histogram(name: string, help: string, buckets: readonly number[], ...labels: string[]): Histogram
}

export function createMeasures(): Measures {
  const registry = new Registry()
  const described: Described[] = []
  const describe = (type: Described['type'], name: string, help: string, labelNames: readonly string[] = []) => {
    described.push({ name, type, help })
    return { name, help, labelNames: [...labelNames], registers: [registry] }
  }
  return {
    ...{ registry, described },
    counter: (name, help, ...labels) => new Counter(describe('counter', name, help, labels)),
    countOf(name, help, label, counts) {
      new Counter({
        ...describe('counter', name, help, [label]),
        collect() {
          this.reset()
          for (const [key, count] of counts()) this.inc({ [label]: key }, count)
        },
      })
    },
    gauge(name, help, value) {
      new Gauge({
        ...describe('gauge', name, help),
        collect() {
          const now = value()
          if (now === undefined) this.remove()
          else this.set(now)
        },
      })
    },
    gauges(name, help, label, values) {
      new Gauge({
        ...describe('gauge', name, help, [label]),
        collect() {
          this.reset()
          for (const [key, value] of values()) this.set({ [label]: key }, value)
        },
      })
    },
    histogram: (name, help, buckets, ...labels) =>
      new Histogram({ ...describe('histogram', name, help, labels), buckets: [...buckets] }),
  }
}
