import type { BackfillRecord, HistoryFileEntry, HistoryReport } from "../../domain/backfill.ts";
import type { Bar } from "../../domain/bar.ts";
import { countOutcomes, NOTHING_ASKED, type SymbolOutcome } from "../../domain/batch.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { backfillKey, historyKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { encodeHistoryFile } from "../../lambdas/runtime/history-file-writer.ts";
import { sha256 } from "../../stores/sha256.ts";

/** What a backfill stored. */
export interface StoredHistory {
  readonly span: DateSpan;
  /** Bars by batch: a file each. No symbol stands in two of them. */
  readonly batches: readonly (readonly Bar[])[];
  /** Outcomes of symbols without bars. */
  readonly others?: Readonly<Record<string, Exclude<SymbolOutcome, "fetched">>>;
  /** Whether only symbols named by hand were asked for. */
  readonly isNamed?: boolean;
  readonly finishedAt?: string;
  /** What the record says instead. */
  readonly record?: Partial<BackfillRecord>;
}

/** Stores the files of a backfill and its record, as a backfill does, and gives the record. */
export async function putBackfill(store: ObjectStore, stored: StoredHistory): Promise<BackfillRecord> {
  const { span, batches, others = {}, isNamed = false, finishedAt = "2024-06-20T12:00:00.000Z" } = stored;
  const entries: HistoryFileEntry[] = [];
  const outcomes: HistoryReport[] = [];
  for (const [batchNumber, bars] of batches.entries()) {
    const reports = reportsOf(bars);
    outcomes.push(...reports);
    const bytes = await encodeHistoryFile({ bars, reports, source: "sandbox" });
    const key = historyKey({ ...span, batchNumber });
    await store.put(key, bytes);
    entries.push({ batchNumber, key, rows: bars.length, bytes: bytes.length, sha256: sha256(bytes) });
  }
  for (const [symbol, outcome] of Object.entries(others)) {
    outcomes.push({ symbol, outcome, bars: 0, first: null, last: null, leftOut: 0 });
  }
  outcomes.sort((left, right) => (left.symbol < right.symbol ? -1 : 1));
  const bars = batches.flat();
  const days = [...Map.groupBy(bars, ({ date }) => date)].map(([date, own]) => [date, own.length] as const);
  const counts = countOutcomes(outcomes);
  const isPartial = counts.failed + counts.deferred > 0;
  const record: BackfillRecord = {
    version: 1,
    ...span,
    status: bars.length === 0 ? "failed" : isPartial ? "partial" : "complete",
    startedAt: "2024-06-20T11:00:00.000Z",
    finishedAt,
    source: "sandbox",
    upstream: { ...NOTHING_ASKED, requests: outcomes.length },
    symbols: { total: outcomes.length, s3Key: null, source: isNamed ? "event" : "asx-directory", warnings: [] },
    counts,
    rows: bars.length,
    leftOut: 0,
    days: Object.fromEntries(days.toSorted(([left], [right]) => (left < right ? -1 : 1))),
    batches: entries,
    outcomes,
    ...stored.record,
  };
  await store.put(backfillKey(span), new TextEncoder().encode(JSON.stringify(record)));
  return record;
}

function reportsOf(bars: readonly Bar[]): HistoryReport[] {
  return [...Map.groupBy(bars, ({ symbol }) => symbol)].map(([symbol, own]) => {
    const dates = own.map(({ date }) => date).sort();
    return {
      symbol,
      outcome: "fetched",
      bars: own.length,
      first: dates[0] ?? null,
      last: dates.at(-1) ?? null,
      leftOut: 0,
    };
  });
}
