import type { BackfillRecord, BackfillStatus } from "../../domain/backfill.ts";
import type { MetricName, Metrics } from "../runtime/metrics.ts";

const STATUS_METRICS: Record<BackfillStatus, MetricName> = {
  complete: "backfillComplete",
  partial: "backfillPartial",
  failed: "backfillFailed",
};

/** Measures a backfill that has ended. */
export function measureBackfill(record: BackfillRecord, metrics: Metrics): void {
  const { failed, deferred } = record.counts;
  metrics.add(STATUS_METRICS[record.status], 1);
  metrics.add("backfillDuration", Math.max(0, Date.parse(record.finishedAt) - Date.parse(record.startedAt)));
  metrics.add("backfillBars", record.rows);
  metrics.add("backfillRowsLeftOut", record.leftOut);
  metrics.add("backfillSymbolsFinished", record.outcomes.length - failed - deferred);
  metrics.add("backfillSymbolsUnfinished", failed + deferred);
}
