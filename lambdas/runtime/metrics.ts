import { MetricUnit, Metrics as PowertoolsMetrics } from "@aws-lambda-powertools/metrics";

/** The namespace of every metric. */
export const METRICS_NAMESPACE = "AsxEod";

/** Every metric that the Lambdas emit, with its unit. The dimension is `service`, the Lambda's name. */
export const METRICS = {
  /** Symbols by outcome, a batch. */
  symbolsFetched: MetricUnit.Count,
  symbolsNoTrade: MetricUnit.Count,
  symbolsNotFound: MetricUnit.Count,
  symbolsInvalid: MetricUnit.Count,
  symbolsFailed: MetricUnit.Count,
  symbolsDeferred: MetricUnit.Count,
  /** Requests to the price source, retries included. */
  upstreamRequests: MetricUnit.Count,
  upstreamRetries: MetricUnit.Count,
  batchDuration: MetricUnit.Milliseconds,
  /** Symbols in the exchange's directory. */
  symbolsListed: MetricUnit.Count,
  /** One a run, by its status. */
  runComplete: MetricUnit.Count,
  runPartial: MetricUnit.Count,
  runFailed: MetricUnit.Count,
  runMarketClosed: MetricUnit.Count,
  runDuration: MetricUnit.Milliseconds,
} as const;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Where numbers about the work go. */
export interface Metrics {
  add(name: MetricName, value: number): void;
  /** Sends what was added; called once at the end of an invocation, also when it failed. */
  publish(): void;
}

/** Metrics in CloudWatch's embedded metric format, on standard output. */
export function createLambdaMetrics(serviceName: string): Metrics {
  const metrics = new PowertoolsMetrics({ namespace: METRICS_NAMESPACE, serviceName });
  return {
    add: (name, value) => metrics.addMetric(name, METRICS[name], value),
    publish: () => {
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    },
  };
}

/** Metrics that go nowhere, for a run with no CloudWatch: the run summary holds the same numbers. */
export const silentMetrics: Metrics = { add: () => undefined, publish: () => undefined };
