/**
 * Measurements for an operator's Prometheus: counted where things happen, printed when it asks. Every label has a fixed
 * list of values, so that no name, key or address of anybody ends up in one.
 */
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';

/** Label name → the values it may have. */
export type LabelValues = Readonly<Record<string, readonly string[]>>;
export type LabelsOf<V extends LabelValues> = { readonly [Name in keyof V]: V[Name][number] };

export interface Counter<V extends LabelValues> {
  add(labels: LabelsOf<V>, amount?: number): void;
}

export interface Histogram<V extends LabelValues> {
  observe(labels: LabelsOf<V>, value: number): void;
  /** Observes how many seconds `work` took, unless it throws. */
  time<R>(labels: LabelsOf<V>, work: () => Promise<R>): Promise<R>;
}

export interface Reading<V extends LabelValues> {
  readonly labels: LabelsOf<V>;
  readonly value: number;
}

export interface Metrics {
  /** Begins at 0 for every combination of labels. */
  counter<const V extends LabelValues>(name: string, help: string, labels: V): Counter<V>;
  histogram<const V extends LabelValues>(
    name: string,
    help: string,
    labels: V,
    buckets: readonly number[],
  ): Histogram<V>;
  /** `read` is asked at every printing; while it throws, the gauge has no value. */
  gauge<const V extends LabelValues>(
    name: string,
    help: string,
    labels: V,
    read: () => readonly Reading<V>[] | Promise<readonly Reading<V>[]>,
  ): void;
  /** In the text format of Prometheus, which {@link contentType} names. */
  print(): Promise<string>;
  readonly contentType: string;
}

/** Every combination of one value per label. */
const combinations = (labels: LabelValues): Record<string, string>[] =>
  Object.entries(labels).reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((some) => values.map((value) => ({ ...some, [name]: value }))),
    [{}],
  );

export interface MetricsOptions {
  /** Also measure the process: CPU, memory, file descriptors, event loop, garbage collection. */
  readonly process?: boolean;
}

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.process) collectDefaultMetrics({ register: registry });
  return {
    contentType: registry.contentType,
    print: () => registry.metrics(),

    counter(name, help, labels) {
      const counter = new PromCounter({ name, help, labelNames: Object.keys(labels), registers });
      for (const each of combinations(labels)) counter.inc(each, 0);
      return { add: (each, amount = 1) => counter.inc(each, amount) };
    },

    histogram(name, help, labels, buckets) {
      const labelNames = Object.keys(labels);
      const histogram = new PromHistogram({ name, help, labelNames, buckets: [...buckets], registers });
      for (const each of combinations(labels)) histogram.zero(each);
      return {
        observe: (each, value) => histogram.observe(each, value),
        async time(each, work) {
          const began = performance.now();
          const result = await work();
          histogram.observe(each, (performance.now() - began) / 1000);
          return result;
        },
      };
    },

    gauge(name, help, labels, read) {
      const gauge: PromGauge = new PromGauge({
        name,
        help,
        labelNames: Object.keys(labels),
        registers,
        async collect() {
          const readings = await Promise.resolve()
            .then(read)
            .catch(() => []);
          gauge.reset();
          for (const { labels: each, value } of readings) gauge.set(each, value);
        },
      });
    },
  };
}
