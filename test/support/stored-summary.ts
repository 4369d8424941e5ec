import { countOutcomes, type SymbolReport } from "../../domain/batch.ts";
import { runKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import type { RunSummary } from "../../domain/run-summary.ts";

/** Stores the summary that an earlier run has written of a date; by default a complete day of the directory's symbols. */
export async function storeSummary(
  store: ObjectStore,
  date: string,
  outcomes: readonly SymbolReport[],
  values: Partial<RunSummary> = {},
): Promise<RunSummary> {
  const counts = countOutcomes(outcomes);
  const summary: RunSummary = {
    version: 1,
    date,
    status: "complete",
    startedAt: `${date}T09:30:00.000Z`,
    finishedAt: `${date}T09:40:00.000Z`,
    attempts: 1,
    upstream: { requests: outcomes.length, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 },
    symbols: {
      s3Key: `symbols/${date}-symbols.csv`,
      source: "asx-directory",
      changes: { comparedTo: null, added: [], removed: [] },
      warnings: [],
      total: outcomes.length,
    },
    counts,
    rows: counts.fetched,
    revised: 0,
    unread: 0,
    quality: { traded: counts.fetched, usual: null, findings: [], suspects: [] },
    batches: [],
    outcomes: [...outcomes],
    ...values,
  };
  await store.put(runKey(date), new TextEncoder().encode(`${JSON.stringify(summary)}\n`));
  return summary;
}

/** The summary that is stored of a date. */
export async function storedSummary(store: ObjectStore, date: string): Promise<RunSummary> {
  return parseRunSummary(runKey(date), (await store.get(runKey(date))) ?? new Uint8Array());
}

/** The report of a symbol that has a bar. */
export function fetchedReport(symbol: string): SymbolReport {
  return { symbol, outcome: "fetched" };
}
