import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { decodeBatchFile } from "../../stores/batch-file-reader.ts";

const KEY = "raw-data/2024-05-31-batch-3.parquet";

function bar(symbol: string, values: Partial<Bar> = {}): Bar {
  return {
    symbol,
    date: "2024-05-31",
    open: 44.3,
    high: 44.59,
    low: 43.95,
    close: 44.51,
    adjustedClose: 42.1,
    volume: 18_577_219,
    dividend: null,
    splitRatio: null,
    fetchTimestamp: Date.UTC(2024, 4, 31, 9, 30, 0, 123),
    batchNumber: 3,
    ...values,
  };
}

const price = fc.double({ min: 0.001, max: 1e6, noNaN: true });
const maybePrice = fc.option(price);
const anyBar = fc
  .record({
    symbol: fc.stringMatching(/^[A-Z0-9]{3,6}$/),
    price,
    adjustedClose: maybePrice,
    dividend: maybePrice,
    splitRatio: maybePrice,
    volume: fc.maxSafeNat(),
    fetchTimestamp: fc.nat({ max: 4_000_000_000_000 }),
    batchNumber: fc.option(fc.nat({ max: 999_999 })),
  })
  .map(({ price, ...rest }) => bar(rest.symbol, { ...rest, open: price, high: price, low: price, close: price }));

describe("a batch file", () => {
  it("gives back every value of every bar, sorted by symbol, and the outcomes of symbols without one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyBar, { selector: ({ symbol }) => symbol, maxLength: 30 }), async (bars) => {
        const reports = [{ symbol: "ZZZZZZ", outcome: "notFound" as const }];
        const read = await decodeBatchFile(KEY, await encodeBatchFile({ bars, reports, source: "yahoo" }));
        expect(read.source).toBe("yahoo");
        expect(read.bars).toEqual(bars.toSorted((left, right) => (left.symbol < right.symbol ? -1 : 1)));
        expect(read.reports).toEqual(reports);
      }),
      { numRuns: 50 },
    );
  });

  it("has the same bytes for the same bars in another order", async () => {
    const reports = [
      { symbol: "XYZ", outcome: "noTrade" as const },
      { symbol: "ABC", outcome: "failed" as const, reason: "HTTP 503 after 5 attempts" },
    ];
    const once = await encodeBatchFile({ bars: [bar("BHP"), bar("14D")], reports });
    const again = await encodeBatchFile({ bars: [bar("14D"), bar("BHP")], reports: reports.toReversed() });
    expect(Buffer.compare(once, again)).toBe(0);
  });

  it("with no bar is a valid file of no rows", async () => {
    const read = await decodeBatchFile(KEY, await encodeBatchFile({ bars: [], reports: [] }));
    expect(read).toEqual({ bars: [], reports: [] });
  });

  it("refuses a bar with NaN instead of storing it, with an Error", async () => {
    await expect(encodeBatchFile({ bars: [bar("BHP", { close: Number.NaN })], reports: [] })).rejects.toBeInstanceOf(
      Error,
    );
  });

  it.each([
    ["of another date", "raw-data/2024-05-30-batch-3.parquet", /has the date 2024-05-31/],
    ["under a key that is no batch file's", "raw-data/2024-05-31-batch-03.parquet", /no key of a batch file/],
  ])("%s is refused", async (_, key, message) => {
    const bytes = await encodeBatchFile({ bars: [bar("BHP")], reports: [] });
    await expect(decodeBatchFile(key, bytes)).rejects.toThrow(message);
  });
});

describe("a batch file read by DuckDB", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "asx-eod-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function query(bars: readonly Bar[], select: string): Promise<Record<string, unknown>[]> {
    const path = join(folder, "batch.parquet");
    writeFileSync(path, await encodeBatchFile({ bars, reports: [] }));
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    try {
      const reader = await connection.runAndReadAll(select.replace("FILE", `'${path}'`));
      return reader.getRowObjectsJson();
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  }

  it("has the columns and types of the data contract", async () => {
    const columns = await query([bar("BHP")], "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM FILE)");
    expect(columns.map(({ column_name, column_type }) => `${column_name} ${column_type}`)).toEqual([
      "symbol VARCHAR",
      "date DATE",
      "open DOUBLE",
      "high DOUBLE",
      "low DOUBLE",
      "close DOUBLE",
      "adjusted_close DOUBLE",
      "volume BIGINT",
      "dividend DOUBLE",
      "split_ratio DOUBLE",
      "fetch_timestamp TIMESTAMP",
      "batch_number INTEGER",
    ]);
  });

  it("has the values, nulls and row order that were written", async () => {
    const rows = await query(
      [
        bar("CBA", { adjustedClose: null, batchNumber: null, volume: 0 }),
        bar("360", { dividend: 0.205, splitRatio: 0.05, volume: 9_007_199_254_740_991 }),
      ],
      "SELECT * FROM FILE",
    );
    expect(rows).toEqual([
      {
        symbol: "360",
        date: "2024-05-31",
        open: 44.3,
        high: 44.59,
        low: 43.95,
        close: 44.51,
        adjusted_close: 42.1,
        volume: "9007199254740991",
        dividend: 0.205,
        split_ratio: 0.05,
        fetch_timestamp: "2024-05-31 09:30:00.123",
        batch_number: 3,
      },
      {
        symbol: "CBA",
        date: "2024-05-31",
        open: 44.3,
        high: 44.59,
        low: 43.95,
        close: 44.51,
        adjusted_close: null,
        volume: "0",
        dividend: null,
        split_ratio: null,
        fetch_timestamp: "2024-05-31 09:30:00.123",
        batch_number: null,
      },
    ]);
  });

  it("is Snappy, in one row group, with statistics that hold", async () => {
    const bars = Array.from({ length: 5000 }, (_, index) =>
      bar(`X${String(index).padStart(4, "0")}`, { volume: index }),
    );
    const [column] = await query(
      bars,
      "SELECT count(*)::INTEGER AS groups, any_value(compression) AS codec, min(stats_min_value) AS least, max(stats_max_value) AS most FROM parquet_metadata(FILE) WHERE path_in_schema = 'volume'",
    );
    expect(column).toEqual({ groups: 1, codec: "SNAPPY", least: "0", most: "4999" });
  });
});
