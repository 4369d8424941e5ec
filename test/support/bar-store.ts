import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { Aggregator, type AggregatorOptions, type BarRow } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { countOutcomes, type SymbolReport } from "../../domain/batch.ts";
import { rawDataKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { type BatchEntry, type RunSummary, runStatus } from "../../domain/run-summary.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { storeSummary } from "./stored-summary.ts";

/** A date before that of any test's clock, a Friday. */
export const DAY = "2024-05-31";

/** A bar with a value in every column. */
export function barOf(symbol: string, values: Partial<Bar> = {}): Bar {
  return {
    symbol,
    date: DAY,
    open: 44.3,
    high: 44.59,
    low: 43.95,
    close: 44.51,
    adjustedClose: 42.1,
    volume: 18_577_219,
    dividend: 0.205,
    splitRatio: 0.05,
    fetchTimestamp: 1_717_148_400_123,
    batchNumber: 0,
    ...values,
  };
}

/** A store in a folder of a test, and an aggregator that is open on it. */
export interface BarStore {
  readonly folder: string;
  readonly store: ObjectStore;
  readonly aggregator: Aggregator;
  /** Stores a batch file, or the older form with all symbols where the batch is null. */
  putBars(bars: readonly Bar[], batchNumber?: number | null, date?: string): Promise<BatchEntry>;
  /** Stores bytes as a batch file, whatever they are. */
  putBytes(bytes: Uint8Array, batchNumber?: number | null, date?: string, rows?: number): Promise<BatchEntry>;
  /** Stores the summary of a run that names these files and no other. */
  putSummary(batches: readonly BatchEntry[], symbols: readonly string[], values?: Partial<RunSummary>): Promise<void>;
  bytesOf(key: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @param name of the store's folder. */
export async function openBarStore(options: AggregatorOptions = {}, name = "store"): Promise<BarStore> {
  const home = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  const folder = join(home, name);
  const store = createLocalStore(folder);
  await mkdir(folder, { recursive: true });
  const aggregator = await Aggregator.open(`file:${folder}`, {
    cacheDir: join(home, "cache"),
    now: () => Date.parse("2024-07-01T00:00:00Z"),
    ...options,
  });

  async function putBytes(
    bytes: Uint8Array,
    batchNumber: number | null = 0,
    date = DAY,
    rows = 0,
  ): Promise<BatchEntry> {
    const key = rawDataKey({ date, batchNumber });
    await store.put(key, bytes);
    return { batchNumber: batchNumber ?? 0, key, rows, bytes: bytes.length, sha256: sha256(bytes), durationMs: 1 };
  }

  return {
    folder,
    store,
    aggregator,
    putBytes,
    async putBars(bars, batchNumber = 0, date = DAY) {
      const bytes = await encodeBatchFile({ bars, reports: [] });
      return putBytes(bytes, batchNumber, date, bars.length);
    },
    async putSummary(batches, symbols, values = {}) {
      const outcomes = symbols.map((symbol): SymbolReport => ({ symbol, outcome: "fetched" }));
      const rows = batches.reduce((total, batch) => total + batch.rows, 0);
      const status = runStatus(countOutcomes(outcomes), []);
      await storeSummary(store, values.date ?? DAY, outcomes, { batches: [...batches], rows, status, ...values });
    },
    async bytesOf(key) {
      const bytes = await store.get(key);
      if (bytes === undefined) throw new Error(`nothing is stored under ${key}`);
      return bytes;
    },
    async close() {
      await aggregator.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** One for all files of a test: opening an engine takes longer than writing a file. */
let writer: Promise<DuckDBConnection> | undefined;

/** The bytes of a Parquet file that DuckDB writes of a query. */
export async function parquetOf(query: string, options = ""): Promise<Uint8Array> {
  writer ??= DuckDBInstance.create(":memory:").then((instance) => instance.connect());
  const folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  try {
    await (await writer).run(`COPY (${query}) TO '${join(folder, "file.parquet")}' (FORMAT parquet${options})`);
    return await readFile(join(folder, "file.parquet"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The select list of a query for one bar with every column; what is named replaces a column's expression, or (null) leaves it out. */
export function barQuery(replaced: Readonly<Record<string, string | null>> = {}, symbol = "BHP", date = DAY): string {
  const columns: Record<string, string | null> = {
    symbol: `'${symbol}'`,
    date: `DATE '${date}'`,
    open: "44.3::DOUBLE",
    high: "44.59::DOUBLE",
    low: "43.95::DOUBLE",
    close: "44.51::DOUBLE",
    adjusted_close: "42.1::DOUBLE",
    volume: "18577219::BIGINT",
    dividend: "0.205::DOUBLE",
    split_ratio: "0.05::DOUBLE",
    fetch_timestamp: "TIMESTAMP '2024-05-31 09:40:00.123'",
    batch_number: "0::INTEGER",
    ...replaced,
  };
  const cells = Object.entries(columns).flatMap(([name, cell]) => (cell === null ? [] : [`${cell} AS "${name}"`]));
  return `SELECT ${cells.join(", ")}`;
}

/** What every way of asking for a date gives: as rows of symbol and close. */
export async function closesOf(aggregator: Aggregator, date = DAY): Promise<unknown[]> {
  const pairs = (rows: readonly Pick<BarRow, "symbol" | "close">[]): unknown[] =>
    rows.map((row) => [row.symbol, row.close]);
  const loads = [
    pairs((await aggregator.loadDate(date)).toRows()),
    pairs((await aggregator.loadDateRange(date, date, { columns: ["close"] })).toRows()),
    (await aggregator.sql("SELECT symbol, close FROM bars WHERE date = $1 ORDER BY symbol", [date]))
      .toRows()
      .map(({ symbol, close }) => [symbol, close]),
  ];
  const [first = []] = loads;
  for (const other of loads) {
    if (JSON.stringify(other) !== JSON.stringify(first))
      throw new Error(`two ways give two answers: ${JSON.stringify(loads)}`);
  }
  return first;
}
