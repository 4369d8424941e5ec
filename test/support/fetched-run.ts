import type { Bar } from "../../domain/bar.ts";
import {
  type BatchResult,
  countOutcomes,
  type LostBatch,
  NOTHING_ASKED,
  type SymbolReport,
} from "../../domain/batch.ts";
import { rawDataKey, revisionsKey } from "../../domain/object-keys.ts";
import { reviseBar } from "../../domain/revision.ts";
import type { RunDigest, RunSummaryEvent } from "../../domain/run-summary.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { summariseRun } from "../../lambdas/run-summary/summarise-run.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { sha256 } from "../../stores/sha256.ts";
import { plainBar } from "./test-fetcher.ts";
import type { TestRuntime } from "./test-runtime.ts";

/** The date of the runs that these helpers make. */
export const RUN_DATE = "2024-05-31";

/** Stores a batch as its fetcher would, and gives the fetcher's result. Symbols stand for plain bars. */
export async function storeBatch(
  { store }: Pick<TestRuntime, "store">,
  batchNumber: number,
  bars: readonly (string | Bar)[],
  reports: readonly SymbolReport[] = [],
  date = RUN_DATE,
): Promise<BatchResult> {
  const all = bars.map((bar) => (typeof bar === "string" ? plainBar(bar, date, batchNumber) : bar));
  const bytes = await encodeBatchFile({ bars: all, reports });
  const s3Key = rawDataKey({ date, batchNumber });
  await store.put(s3Key, bytes);
  const counts = countOutcomes([...reports, ...all.map(() => ({ outcome: "fetched" as const }))]);
  const file = { rows: all.length, bytes: bytes.length, sha256: sha256(bytes) };
  const extras = { unfinished: [], revised: 0, earlier: [], unread: 0, upstream: NOTHING_ASKED, stopped: null };
  return { date, batchNumber, s3Key, ...file, counts, ...extras, durationMs: 1200 };
}

/** Stores the record of so many changes of a batch's bars. */
export async function storeRecord(
  { store }: Pick<TestRuntime, "store">,
  changes: number,
  { date = RUN_DATE, batchNumber = 0 } = {},
): Promise<void> {
  const revisions = Array.from({ length: changes }, (_, index) =>
    reviseBar(plainBar("BHP", date, batchNumber), plainBar("BHP", date, batchNumber, { volume: index })),
  );
  const file = { version: 1, date, revisions };
  await store.put(revisionsKey({ date, batchNumber }), new TextEncoder().encode(JSON.stringify(file)));
}

/** A batch that was lost. */
export function lost(batchNumber: number, name: string, cause = ""): LostBatch {
  return { batchNumber, error: { Error: name, Cause: cause } };
}

/** What starts the run summary, each batch in a lane of its own. */
export function runEvent(
  batches: readonly (readonly string[])[],
  results: readonly (BatchResult | LostBatch)[],
  values: Partial<RunSummaryEvent> = {},
): RunSummaryEvent {
  const metadata: RunSummaryEvent["metadata"] = {
    totalSymbols: batches.flat().length,
    numBatches: batches.length,
    batchSize: 100,
    isLatest: true,
    s3Key: `symbols/${RUN_DATE}-symbols.csv`,
    source: "asx-directory",
    changes: { comparedTo: null, added: [], removed: [] },
    warnings: ["no directory from the current address"],
  };
  return {
    date: RUN_DATE,
    tradingDay: true,
    startedAt: "2024-05-31T09:30:00.000Z",
    sessions: [RUN_DATE],
    catchUp: false,
    symbolBatches: batches.map((symbols, batchNumber) => ({ symbols: [...symbols], batchNumber })),
    metadata,
    results: results.map((result) => [result]),
    ...values,
  };
}

/** The same for a run of symbols that were named by hand. */
export function ofNamedSymbols(event: RunSummaryEvent): RunSummaryEvent {
  return { ...event, metadata: { ...event.metadata, source: "event", s3Key: null, warnings: [] } };
}

/** Summarises a run by the exchange's own calendar. */
export function summarise(event: RunSummaryEvent, runtime: TestRuntime): Promise<RunDigest> {
  return summariseRun(event, { calendar: createTradingCalendar(), runtime });
}
