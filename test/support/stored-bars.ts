import type { Bar } from "../../domain/bar.ts";
import { rawDataKey, runKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { sha256 } from "../../stores/sha256.ts";

/** A bar of a symbol and date; its values differ with a number, so that bars of two runs can be told apart. */
export function anyBar(symbol: string, date: string, version = 0, batchNumber: number | null = 0): Bar {
  const close = 10 + version;
  const prices = { open: close, high: close + 1, low: close - 1, close, adjustedClose: version === 1 ? null : close };
  const rest = { volume: 1_000 + version, dividend: null, splitRatio: null };
  return { symbol, date, ...prices, ...rest, fetchTimestamp: 1_717_148_400_000 + version * 1_000, batchNumber };
}

/** A stored raw-data file, as a run summary names it. */
export interface StoredBatch {
  readonly key: string;
  readonly sha256: string;
  readonly rows: number;
  readonly bytes: number;
}

/** Stores the bars of a batch; the older form where the batch number is null. */
export async function putBatch(
  store: ObjectStore,
  date: string,
  batchNumber: number | null,
  bars: readonly Bar[],
): Promise<StoredBatch> {
  const bytes = await encodeBatchFile({ bars, reports: [] });
  const key = rawDataKey({ date, batchNumber });
  await store.put(key, bytes);
  return { key, sha256: sha256(bytes), rows: bars.length, bytes: bytes.length };
}

/**
 * Stores the run summary of a date that names the files.
 * @param fetched symbols that have a bar, where some have several; else as many as bars.
 */
export async function putSummary(
  store: ObjectStore,
  date: string,
  files: readonly StoredBatch[],
  status = files.length === 0 ? "market-closed" : "complete",
  fetched?: number,
): Promise<void> {
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const summary = {
    version: 1,
    date,
    status,
    startedAt: `${date}T09:30:00.000Z`,
    finishedAt: `${date}T09:37:00.000Z`,
    symbols: {
      s3Key: null,
      source: "event",
      changes: { comparedTo: null, added: [], removed: [] },
      warnings: [],
      total: rows,
    },
    counts: { fetched: fetched ?? rows, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 },
    rows,
    batches: files.map((file, batchNumber) => ({ batchNumber, durationMs: 1, ...file })),
    outcomes: [],
  };
  await store.put(runKey(date), new TextEncoder().encode(JSON.stringify(summary)));
}

/** Stores a date as a run does: its bars in batches, then the summary. */
export async function putDay(store: ObjectStore, date: string, batches: readonly (readonly Bar[])[]): Promise<void> {
  const files: StoredBatch[] = [];
  for (const [number, bars] of batches.entries()) files.push(await putBatch(store, date, number, bars));
  await putSummary(store, date, files);
}
