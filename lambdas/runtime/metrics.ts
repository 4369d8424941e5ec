import { MetricUnit, Metrics as PowertoolsMetrics } from "@aws-lambda-powertools/metrics";

/** The namespace of every metric. */
export const METRICS_NAMESPACE = "AsxEod";

/** Every metric that the Lambdas emit: its unit, and the Lambda that emits it, which is its dimension `service`. */
export const METRICS = {
  /** Symbols in the exchange's directory. */
  symbolsListed: { unit: MetricUnit.Count, service: "symbol-updater" },
  /** Symbols that a batch asked the price source for: those without a final outcome, but for what it left for later. */
  symbolsAsked: { unit: MetricUnit.Count, service: "batch-fetcher" },
  /** Requests to the price source, retries included. */
  upstreamRequests: { unit: MetricUnit.Count, service: "batch-fetcher" },
  upstreamRetries: { unit: MetricUnit.Count, service: "batch-fetcher" },
  /** Answers of the price source that told us to ask less (429). */
  upstreamRateLimited: { unit: MetricUnit.Count, service: "batch-fetcher" },
  /** Times that a batch stopped asking because the price source failed one request after the other. */
  upstreamBreakerOpenings: { unit: MetricUnit.Count, service: "batch-fetcher" },
  /** Time that requests waited for the budget, in pauses and in back-off, together. */
  upstreamWaiting: { unit: MetricUnit.Milliseconds, service: "batch-fetcher" },
  batchDuration: { unit: MetricUnit.Milliseconds, service: "batch-fetcher" },
  /** Symbols of the date by outcome, as its run summary has them. */
  symbolsFetched: { unit: MetricUnit.Count, service: "run-summary" },
  symbolsNoTrade: { unit: MetricUnit.Count, service: "run-summary" },
  symbolsNotFound: { unit: MetricUnit.Count, service: "run-summary" },
  symbolsInvalid: { unit: MetricUnit.Count, service: "run-summary" },
  symbolsFailed: { unit: MetricUnit.Count, service: "run-summary" },
  symbolsDeferred: { unit: MetricUnit.Count, service: "run-summary" },
  /** Stored bars of any date that were replaced because the provider had changed them. */
  barsRevised: { unit: MetricUnit.Count, service: "run-summary" },
  /** Bars of the date that are valid and yet unlikely. */
  barsSuspect: { unit: MetricUnit.Count, service: "run-summary" },
  /** One a run, by its status. */
  runComplete: { unit: MetricUnit.Count, service: "run-summary" },
  runPartial: { unit: MetricUnit.Count, service: "run-summary" },
  runFailed: { unit: MetricUnit.Count, service: "run-summary" },
  runMarketClosed: { unit: MetricUnit.Count, service: "run-summary" },
  /** From the start of the execution to its run summary. */
  runDuration: { unit: MetricUnit.Milliseconds, service: "run-summary" },
  /** One a run that found or made the last finished trading day whole, with all of its symbols. */
  latestDayComplete: { unit: MetricUnit.Count, service: "run-summary" },
  /** From the closing auction of the last finished trading day to the run that made it whole. */
  dataLag: { unit: MetricUnit.Milliseconds, service: "run-summary" },
  /** One a backfill that has ended, by its status. */
  backfillComplete: { unit: MetricUnit.Count, service: "run-summary" },
  backfillPartial: { unit: MetricUnit.Count, service: "run-summary" },
  backfillFailed: { unit: MetricUnit.Count, service: "run-summary" },
  /** From the start of the execution to the backfill's record. */
  backfillDuration: { unit: MetricUnit.Milliseconds, service: "run-summary" },
  /** Bars in all files of the backfill, and rows of answers that were kept out. */
  backfillBars: { unit: MetricUnit.Count, service: "run-summary" },
  backfillRowsLeftOut: { unit: MetricUnit.Count, service: "run-summary" },
  /** Symbols of the backfill with an outcome that stands, and without. */
  backfillSymbolsFinished: { unit: MetricUnit.Count, service: "run-summary" },
  backfillSymbolsUnfinished: { unit: MetricUnit.Count, service: "run-summary" },
} as const;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Where numbers about the work go. */
export interface Metrics {
  add(name: MetricName, value: number): void;
  /** Sends what was added; called once at the end of an invocation, also when it failed. */
  publish(): void;
}

/**
 * Metrics in CloudWatch's embedded metric format, on standard output.
 * @param stage the dimension `stage`, which tells apart the deployments of one account.
 */
export function createLambdaMetrics(serviceName: string, stage: string): Metrics {
  const metrics = new PowertoolsMetrics({
    namespace: METRICS_NAMESPACE,
    serviceName,
    defaultDimensions: { stage },
  });
  return {
    add: (name, value) => metrics.addMetric(name, METRICS[name].unit, value),
    publish: () => {
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    },
  };
}

/** Metrics that go nowhere, for a run with no CloudWatch: the run summary holds the same numbers. */
export const silentMetrics: Metrics = { add: () => undefined, publish: () => undefined };
