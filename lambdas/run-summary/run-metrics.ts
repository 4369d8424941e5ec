import { SYMBOL_SOURCES } from "../../domain/batch.ts";
import { RUN_STATUSES, type RunStatus, type RunSummary, type RunSummaryEvent } from "../../domain/run-summary.ts";
import { closingInstant } from "../../domain/trading-date.ts";
import type { MetricName, Metrics } from "../runtime/metrics.ts";

const STATUS_METRICS: Record<RunStatus, MetricName> = {
  complete: "runComplete",
  partial: "runPartial",
  failed: "runFailed",
  "market-closed": "runMarketClosed",
};

/** What is measured besides the summary. */
export interface MeasuredRun {
  readonly event: RunSummaryEvent;
  /** How the run as a whole ends: the worst of its date and of the sessions before it that it found worse than they were. */
  readonly status: RunStatus;
  /** The summary of the date that was replaced. */
  readonly previous: RunSummary | undefined;
  readonly metrics: Metrics;
}

/**
 * Measures a run that has ended.
 * @param summary of the run's own date.
 */
export function measureRun(summary: RunSummary, { event, status: ofRun, previous, metrics }: MeasuredRun): void {
  const { date, status, counts } = summary;
  const finishedAt = Date.parse(summary.finishedAt);
  metrics.add(STATUS_METRICS[ofRun], 1);
  metrics.add("runDuration", Math.max(0, finishedAt - Date.parse(summary.startedAt)));
  if (status === RUN_STATUSES.marketClosed) return;
  metrics.add("symbolsFetched", counts.fetched);
  metrics.add("symbolsNoTrade", counts.noTrade);
  metrics.add("symbolsNotFound", counts.notFound);
  metrics.add("symbolsInvalid", counts.invalid);
  metrics.add("symbolsFailed", counts.failed);
  metrics.add("symbolsDeferred", counts.deferred);
  metrics.add("barsSuspect", summary.quality?.suspects.length ?? 0);
  const { isLatest, source } = event.metadata;
  if (status !== RUN_STATUSES.complete || !isLatest || source === SYMBOL_SOURCES.event) return;
  metrics.add("latestDayComplete", 1);
  // A day that was whole before lags no further.
  if (previous?.status !== RUN_STATUSES.complete) metrics.add("dataLag", finishedAt - closingInstant(date));
}
