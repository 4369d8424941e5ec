import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import type { Bar } from "../../domain/bar.ts";
import { DateNotStoredError, InvalidInputError, StoredFileError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { rowOfBar } from "../support/bar-rows.ts";

const DAY = "2024-05-31";

let folder: string;
let store: ObjectStore;
let aggregator: Aggregator;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-test-"));
  store = createLocalStore(folder);
  aggregator = await Aggregator.open(`file:${folder}`, { cacheDir: join(folder, "cache") });
});
afterEach(async () => {
  await aggregator.close();
  await rm(folder, { recursive: true, force: true });
});

function bar(symbol: string, values: Partial<Bar> = {}): Bar {
  const prices = { open: 44.3, high: 44.59, low: 43.95, close: 44.51, adjustedClose: 42.1 };
  const rest = {
    volume: 18_577_219,
    dividend: 0.205,
    splitRatio: 0.05,
    fetchTimestamp: 1_717_148_400_123,
    batchNumber: 0,
  };
  return { symbol, date: DAY, ...prices, ...rest, ...values };
}

async function put(
  name: string,
  bars: readonly Bar[],
): Promise<{ key: string; sha256: string; rows: number; bytes: number }> {
  const bytes = await encodeBatchFile({ bars, reports: [] });
  const key = `raw-data/${DAY}${name}.parquet`;
  await store.put(key, bytes);
  return { key, sha256: sha256(bytes), rows: bars.length, bytes: bytes.length };
}

async function putSummary(
  files: readonly { key: string; sha256: string; rows: number; bytes: number }[],
  status = "complete",
) {
  const counts = { fetched: 1, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 };
  const summary = {
    version: 1,
    date: DAY,
    status,
    startedAt: "2024-05-31T09:30:00.000Z",
    finishedAt: "2024-05-31T09:37:00.000Z",
    symbols: {
      s3Key: null,
      source: "event",
      changes: { comparedTo: null, added: [], removed: [] },
      warnings: [],
      total: 1,
    },
    counts,
    rows: 1,
    batches: files.map((file, batchNumber) => ({ batchNumber, durationMs: 1, ...file })),
    outcomes: [],
  };
  await store.put(`runs/${DAY}.json`, new TextEncoder().encode(JSON.stringify(summary)));
}

describe("loading a date", () => {
  it("merges every batch and gives back each value, in order of symbol", async () => {
    const bars = [
      bar("360"),
      bar("BHP", { adjustedClose: null, dividend: null, splitRatio: null, volume: 0 }),
      bar("WOW", { batchNumber: 1 }),
    ];
    await put("-batch-0", bars.slice(0, 2));
    await put("-batch-1", bars.slice(2));
    expect((await aggregator.loadDate(DAY)).toRows()).toEqual(bars.map(rowOfBar));
  });

  it("reads just the files that the run summary names", async () => {
    const named = await put("-batch-0", [bar("BHP")]);
    await put("-batch-1", [bar("CBA")]);
    await putSummary([named]);
    expect((await aggregator.loadDate(DAY)).symbols).toEqual(["BHP"]);
  });

  it("reads the older form with all symbols in one file", async () => {
    await put("", [bar("BHP", { batchNumber: null })]);
    expect((await aggregator.loadDate(DAY)).toRows()).toEqual([rowOfBar(bar("BHP", { batchNumber: null }))]);
  });

  it("gives a symbol of both forms once, as fetched last", async () => {
    await put("", [bar("BHP", { close: 44, fetchTimestamp: 2 }), bar("CBA", { close: 44, fetchTimestamp: 1 })]);
    await put("-batch-0", [
      bar("BHP", { close: 44.1, fetchTimestamp: 1 }),
      bar("CBA", { close: 44.1, fetchTimestamp: 2 }),
    ]);
    const closes = (await aggregator.loadDate(DAY)).toRows().map(({ symbol, close }) => [symbol, close]);
    expect(closes).toEqual([
      ["BHP", 44],
      ["CBA", 44.1],
    ]);
  });

  it("passes over files of other names beside the batches", async () => {
    await put("-batch-0", [bar("BHP")]);
    await store.put(`raw-data/${DAY}-batch-0.parquet.bak`, new Uint8Array(4));
    await store.put(`raw-data/${DAY}-notes.txt`, new Uint8Array(4));
    expect((await aggregator.loadDate(DAY)).symbols).toEqual(["BHP"]);
  });

  it("gives no bar of a closed day, and of empty batches", async () => {
    await putSummary([], "market-closed");
    expect((await aggregator.loadDate(DAY)).toRows()).toEqual([]);
    await putSummary([await put("-batch-0", [])]);
    expect((await aggregator.loadDate(DAY)).toRows()).toEqual([]);
  });

  it("fills columns that an older file lacks with null", async () => {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const path = join(folder, "old.parquet");
    await connection.run(
      `COPY (SELECT 'BHP' AS symbol, DATE '${DAY}' AS date, 1.0::DOUBLE AS open, 1.0::DOUBLE AS high, 1.0::DOUBLE AS low, 1.0::DOUBLE AS close,
        5::BIGINT AS volume, TIMESTAMP '2024-05-31 09:30:00' AS fetch_timestamp) TO '${path}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
    await store.put(`raw-data/${DAY}.parquet`, (await createLocalStore(folder).get("old.parquet")) ?? new Uint8Array());
    expect((await aggregator.loadDate(DAY)).toRows()).toMatchObject([
      { symbol: "BHP", volume: 5, adjusted_close: null, dividend: null, batch_number: null },
    ]);
  });

  it.each([
    ["2024-02-30", InvalidInputError],
    ["yesterday", InvalidInputError],
    ["2024-05-30", DateNotStoredError],
  ])("of %s is an error", async (date, error) => {
    await expect(aggregator.loadDate(date)).rejects.toThrow(error);
  });
});

describe("opening a store", () => {
  it.each([
    { timeoutMs: Number.POSITIVE_INFINITY },
    { timeoutMs: 0 },
    { timeoutMs: 3e9 },
    { memoryLimit: "much" },
    { cacheDir: "" },
    { closedDates: ["2024-02-30"] },
  ])("refuses %j", async (options) => {
    await expect(Aggregator.open(`file:${folder}`, options)).rejects.toThrow(InvalidInputError);
  });

  it("refuses a folder that is not there, and options that it does not know", async () => {
    await expect(Aggregator.open(`file:${folder}/typo`)).rejects.toThrow("there is no such folder");
    await put("-batch-0", [bar("BHP"), bar("CBA")]);
    const mistyped: object = { symbol: ["BHP"] };
    await expect(aggregator.loadAll(mistyped)).rejects.toThrow("symbol");
  });
});

it("days that are still to come are named, and the range is not complete", async () => {
  const asx = await Aggregator.open(`file:${folder}`, {
    cacheDir: join(folder, "cache"),
    now: () => Date.parse("2024-05-31T10:00:00Z"),
  });
  const { coverage } = await asx.loadDateRange("2024-06-03", "2024-06-04");
  expect([coverage.isComplete, coverage.notSettled]).toEqual([false, ["2024-06-03", "2024-06-04"]]);
  expect(String(coverage)).toContain("2 trading days not settled yet: 2024-06-03, 2024-06-04");
  await asx.close();
});

it("a closed aggregator answers nothing", async () => {
  const asx = await Aggregator.open(`file:${folder}`, { cacheDir: join(folder, "cache") });
  await asx.close();
  for (const answer of [asx.dates(), asx.loadAll(), asx.listings(DAY), asx.compact()]) {
    await expect(answer).rejects.toThrow("the aggregator is closed");
  }
});

describe("loading a damaged date", () => {
  async function expectRefused(name: string): Promise<void> {
    await expect(aggregator.loadDate(DAY)).rejects.toThrow(StoredFileError);
    await expect(aggregator.loadDate(DAY)).rejects.toThrow(name);
  }

  it("names a file that the run summary names and that is missing", async () => {
    await putSummary([{ key: `raw-data/${DAY}-batch-0.parquet`, sha256: "0".repeat(64), rows: 1, bytes: 1 }]);
    await expectRefused("batch-0.parquet is missing");
  });

  it("finds every flipped bit by the hash, before anything is parsed", async () => {
    const named = await put("-batch-0", [bar("BHP")]);
    await putSummary([named]);
    const bytes = (await store.get(named.key)) ?? new Uint8Array();
    for (let index = 0; index < bytes.length; index += 97) {
      const flipped = Uint8Array.from(bytes);
      flipped[index] = (flipped[index] ?? 0) ^ 1;
      await store.put(named.key, flipped);
      await expect(aggregator.loadDate(DAY)).rejects.toThrow("SHA-256");
    }
  });

  it("finds every flipped bit by the file's seal where there is no run summary", async () => {
    const { key } = await put("-batch-0", [bar("BHP")]);
    const bytes = (await store.get(key)) ?? new Uint8Array();
    for (let index = 0; index < bytes.length; index += 97) {
      const flipped = Uint8Array.from(bytes);
      flipped[index] = (flipped[index] ?? 0) ^ 1;
      await store.put(key, flipped);
      await expectRefused("batch-0.parquet is damaged");
    }
  });

  it("names a truncated file where there is no run summary", async () => {
    const named = await put("-batch-0", [bar("BHP")]);
    const bytes = (await store.get(named.key)) ?? new Uint8Array();
    await store.put(named.key, bytes.subarray(0, 500));
    await expectRefused("batch-0.parquet is damaged");
  });

  it("names a file that holds another date", async () => {
    const bytes = await encodeBatchFile({ bars: [bar("BHP", { date: "2024-05-30" })], reports: [] });
    await store.put(`raw-data/${DAY}-batch-0.parquet`, bytes);
    await expectRefused("batch-0.parquet has bars of 2024-05-30, not of 2024-05-31");
  });

  it("names a run summary that cannot be read", async () => {
    await store.put(`runs/${DAY}.json`, new TextEncoder().encode('{"version":1'));
    await expectRefused(`runs/${DAY}.json is damaged`);
  });
});
