/**
 * Files that are not what they should be. However a date is asked for: an error that names the file and what to do; where
 * bad files are to be skipped, the rest and a report; and what is put right is read right, all by one open aggregator.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoredFileError } from "../../aggregator/index.ts";
import type { BatchEntry } from "../../domain/run-summary.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { type BarStore, barOf, barQuery, closesOf, DAY, openBarStore, parquetOf } from "../support/bar-store.ts";

const NEXT = "2024-06-03";
const FIRST = `raw-data/${DAY}-batch-0.parquet`;
const SECOND = `raw-data/${DAY}-batch-1.parquet`;
const RIGHT = [
  ["BHP", 44.51],
  ["CBA", 119.4],
  ["WOW", 31.2],
];
const WITHOUT_FIRST = RIGHT.slice(2);

let stored: BarStore;
let batches: [BatchEntry, BatchEntry];
let first: Uint8Array;
let second: Uint8Array;
beforeEach(async () => {
  stored = await openBarStore();
  batches = [
    await stored.putBars([barOf("BHP"), barOf("CBA", { close: 119.4 })], 0),
    await stored.putBars([barOf("WOW", { close: 31.2, batchNumber: 1 })], 1),
  ];
  [first, second] = [await stored.bytesOf(FIRST), await stored.bytesOf(SECOND)];
});
afterEach(async () => {
  await stored.close();
});

/** Names the two files in a run summary; what is not given is as it was stored. */
async function putSummary(named: readonly BatchEntry[] = batches): Promise<void> {
  await stored.putSummary(named, ["BHP", "CBA", "WOW"]);
}

async function remove(key: string): Promise<void> {
  await rm(join(stored.folder, key), { force: true });
}

/** Whichever way bars are asked for, the answer is this error. */
async function expectRefused(message: RegExp): Promise<void> {
  const { aggregator } = stored;
  for (const ask of [
    () => aggregator.loadDate(DAY),
    () => aggregator.loadDateRange(DAY, NEXT, { symbols: ["WOW"], columns: ["close"] }),
    () => aggregator.sql("SELECT * FROM bars WHERE symbol = 'WOW'"),
  ]) {
    const error = await ask().then(
      (answer) => new Error(`an answer of ${answer.length} rows`),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(StoredFileError);
    expect(error).toHaveProperty("message", expect.stringMatching(message));
  }
}

/** Where bad files are skipped, the rest comes, with a report of what was left out. */
async function expectSkipped(closes: readonly unknown[], key: string, reason: RegExp): Promise<void> {
  for (const ask of [
    () => stored.aggregator.loadDate(DAY, { onBadFile: "skip" }),
    () => stored.aggregator.loadAll({ onBadFile: "skip" }),
  ]) {
    const bars = await ask();
    const found = bars.toRows().filter(({ date }) => date === DAY);
    expect(found.map(({ symbol, close }) => [symbol, close])).toEqual(closes);
    expect(bars.coverage.skipped).toEqual([{ key, reason: expect.stringMatching(reason) }]);
    expect(bars.coverage.isComplete).toBe(false);
  }
}

async function expectRight(): Promise<void> {
  expect(await closesOf(stored.aggregator)).toEqual(RIGHT);
  expect((await stored.aggregator.loadAll()).coverage.skipped).toEqual([]);
}

describe.each([
  ["with a run summary", true],
  ["without a run summary", false],
])("%s", (_, isNamed) => {
  /** The same again, with the summary's hash made to match where there is one. */
  async function replaceFirst(bytes: Uint8Array, isMatching: boolean): Promise<BatchEntry> {
    const entry = await stored.putBytes(bytes, 0, DAY, 2);
    if (isNamed && isMatching) await putSummary([entry, batches[1]]);
    return entry;
  }
  async function restore(): Promise<void> {
    await stored.store.put(FIRST, first);
    await stored.store.put(SECOND, second);
    await remove(`raw-data/${DAY}.parquet`);
    await remove(`raw-data/${NEXT}-batch-0.parquet`);
    if (isNamed) await putSummary();
  }
  beforeEach(async () => {
    if (isNamed) await putSummary();
    await expectRight();
  });
  afterEach(async () => {
    await restore();
    await expectRight();
  });

  const remedy = "(restore it|run the date again)";

  it.each([0, 3, 11, 12, 500, -8, -1])("a file cut at %i bytes", async (at) => {
    await replaceFirst(first.slice(0, at), false);
    await expectRefused(new RegExp(`${FIRST} is .*${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, isNamed ? /SHA-256/ : /damaged/);
  });

  it("a file of zeros", async () => {
    await replaceFirst(new Uint8Array(first.length), false);
    await expectRefused(new RegExp(`${FIRST} is .*${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, /./);
  });

  it("a text file under a batch's key", async () => {
    await replaceFirst(new TextEncoder().encode("symbol,close\nBHP,1\n"), true);
    await expectRefused(new RegExp(`${FIRST} is damaged or no batch file.*${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, /does not begin and end as a Parquet file/);
  });

  it("a Parquet file of something else", async () => {
    await replaceFirst(await parquetOf("SELECT 1 AS id, 'x' AS name"), true);
    await expectRefused(new RegExp(`${FIRST} is damaged or .*it has no column.*${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, /no column/);
  });

  it.each<[string, Readonly<Record<string, string | null>>, RegExp]>([
    ["lacks a column", { close: null }, /it has no column close/],
    ["has text prices", { close: "'44.51'" }, /./],
    ["has whole prices", { close: "44::BIGINT" }, /./],
    ["has decimal prices", { close: "44.51::DECIMAL(9,2)" }, /./],
    ["has the volume as a double", { volume: "18577219.5::DOUBLE" }, /./],
    ["has the date as text", { date: `'${DAY}'` }, /./],
    ["has the date as an instant", { date: `TIMESTAMP '${DAY} 00:00:00'` }, /./],
    ["has the symbol as a number", { symbol: "360" }, /./],
    ["has lists of prices", { close: "[44.51::DOUBLE]" }, /./],
    ["has the price inside a group", { close: null, prices: "{'close': 44.51::DOUBLE}" }, /./],
    ["has a column in capitals in place of its own", { close: null, Close: "44.51::DOUBLE" }, /./],
    ["has a bar without a symbol", { symbol: "NULL::VARCHAR" }, /./],
    ["has a bar without a date", { date: "NULL::DATE" }, /./],
  ])("a file that %s", async (_name, replaced, reason) => {
    await replaceFirst(await parquetOf(barQuery(replaced)), true);
    await expectRefused(new RegExp(`${FIRST} .*${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, reason);
  });

  it("a bar without a date among others", async () => {
    const bytes = await parquetOf(`${barQuery()} UNION ALL ${barQuery({ date: "NULL::DATE" }, "CBA")}`);
    await replaceFirst(bytes, true);
    await expectRefused(new RegExp(`${FIRST} .*${remedy}`));
  });

  it.each<[string, Readonly<Record<string, string | null>>, object]>([
    ["has a column more", { note: "'x'" }, { close: 44.51 }],
    ["has 32-bit prices", { close: "44.5::FLOAT" }, { close: 44.5 }],
    ["has 32-bit volumes", { volume: "7::INTEGER" }, { volume: 7 }],
    ["has 64-bit batch numbers", { batch_number: "0::BIGINT" }, { batch_number: 0 }],
    [
      "has instants of microseconds",
      { fetch_timestamp: "TIMESTAMP '2024-05-31 09:40:00.5'" },
      { fetch_timestamp: new Date("2024-05-31T09:40:00.500Z") },
    ],
    [
      "has instants with a zone",
      { fetch_timestamp: "TIMESTAMPTZ '2024-05-31 19:40:00.5+10'" },
      { fetch_timestamp: new Date("2024-05-31T09:40:00.500Z") },
    ],
    ["lacks the newer columns", { dividend: null, split_ratio: null, adjusted_close: null }, { dividend: null }],
  ])("a file that %s is read, and the file beside it to the last digit", async (_name, replaced, values) => {
    const bytes = await parquetOf(barQuery(replaced));
    const replacing = await replaceFirst(bytes, true);
    const exact = { close: 31.2, volume: 9_007_199_254_740_991, adjusted_close: 42.1, dividend: 0.205 };
    const entry = await stored.putBars([barOf("WOW", { ...exact, adjustedClose: 42.1, batchNumber: 1 })], 1);
    if (isNamed) await putSummary([replacing, entry]);
    for (const rows of [
      (await stored.aggregator.loadDate(DAY)).toRows(),
      (await stored.aggregator.loadDateRange(DAY, NEXT)).toRows(),
      (await stored.aggregator.sql("SELECT * FROM bars ORDER BY symbol")).toRows(),
    ]) {
      expect(rows).toMatchObject([
        { symbol: "BHP", ...values },
        { symbol: "WOW", ...exact },
      ]);
    }
  });

  it("a file whose columns stand in another order", async () => {
    const reversed = Object.entries({ batch_number: "0::INTEGER", close: "44.51::DOUBLE", date: `DATE '${DAY}'` });
    const bytes = await parquetOf(
      `SELECT ${reversed.map(([name]) => name).join(", ")}, * EXCLUDE (batch_number, close, date) FROM (${barQuery()})`,
    );
    await replaceFirst(bytes, true);
    expect(await closesOf(stored.aggregator)).toEqual([["BHP", 44.51], ...WITHOUT_FIRST]);
    expect((await stored.aggregator.loadDate(DAY)).toRows()[0]).toMatchObject({ volume: 18_577_219, low: 43.95 });
  });

  it("two batches of a date that were swapped", async () => {
    await stored.store.put(FIRST, second);
    await stored.store.put(SECOND, first);
    if (!isNamed) return expect(await closesOf(stored.aggregator)).toEqual(RIGHT);
    await expectRefused(new RegExp(`${FIRST} is not the file that runs/${DAY}.json names.* 1 other file`));
    return undefined;
  });

  it("the files of two dates that were swapped", async () => {
    const other = await encodeBatchFile({ bars: [barOf("BHP", { date: NEXT, close: 1 })], reports: [] });
    await stored.putBytes(first, 0, NEXT);
    await replaceFirst(other, true);
    await expectRefused(
      new RegExp(`has bars of (${NEXT}|${DAY}), not of (${NEXT}|${DAY}) alone.*${remedy}|is damaged or not`),
    );
  });

  it("two dates in one file", async () => {
    const bytes = await encodeBatchFile({ bars: [barOf("BHP"), barOf("CBA", { date: NEXT })], reports: [] });
    await replaceFirst(bytes, true);
    await expectRefused(new RegExp(`${FIRST} has bars of ${DAY} to ${NEXT}, not of ${DAY} alone; ${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, /not of 2024-05-31 alone/);
  });

  it("a symbol twice in one file", async () => {
    const bars = [barOf("BHP"), barOf("BHP", { close: 1, fetchTimestamp: 1 })];
    await replaceFirst(await encodeBatchFile({ bars, reports: [] }), true);
    await expectRefused(new RegExp(`${FIRST} has 2 bars of 1 symbols: some stand twice; ${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, /stand twice/);
  });

  it.each([
    ["later", 2, 2],
    ["earlier", 0, 44.51],
  ])("a symbol in two batches, in the other fetched %s: the one that was fetched last", async (_name, after, close) => {
    const { fetchTimestamp } = barOf("BHP");
    const repeated = barOf("BHP", { close: 2, batchNumber: 1, fetchTimestamp: fetchTimestamp + after - 1 });
    const entry = await stored.putBars([repeated, barOf("WOW", { close: 31.2, batchNumber: 1 })], 1);
    // A summary may be wrong about its counts: what counts is what the files hold.
    if (isNamed) await stored.putSummary([batches[0], entry], ["BHP", "CBA", "WOW", "XYZ"]);
    expect(await closesOf(stored.aggregator)).toEqual([
      ["BHP", close],
      ["CBA", 119.4],
      ["WOW", 31.2],
    ]);
    const counted = await stored.aggregator.sql("SELECT count(*) AS n FROM bars");
    expect(counted.toRows()).toEqual([{ n: 3 }]);
    expect((await stored.aggregator.loadAll()).coverage.days).toMatchObject([{ date: DAY, rows: 3 }]);
  });

  it("an empty batch", async () => {
    await replaceFirst(await encodeBatchFile({ bars: [], reports: [{ symbol: "BHP", outcome: "noTrade" }] }), true);
    expect(await closesOf(stored.aggregator)).toEqual(WITHOUT_FIRST);
  });

  it("a missing batch", async () => {
    await remove(FIRST);
    if (!isNamed) return expect(await closesOf(stored.aggregator)).toEqual(WITHOUT_FIRST);
    await expectRefused(new RegExp(`${FIRST} is missing, but runs/${DAY}.json names it; ${remedy}`));
    await expectSkipped(WITHOUT_FIRST, FIRST, /missing/);
    return undefined;
  });

  it("files of other names beside the batches", async () => {
    for (const name of [
      "-batch-0.parquet.bak",
      "-notes.txt",
      "-batch-00.parquet",
      "-batch-x.parquet",
      ".parquet.tmp",
    ]) {
      await stored.store.put(`raw-data/${DAY}${name}`, new TextEncoder().encode("not bars"));
    }
    await stored.store.put("raw-data/README.md", new Uint8Array(3));
    await stored.store.put(`raw-data/sub/${DAY}-batch-0.parquet`, first);
    expect(await closesOf(stored.aggregator)).toEqual(RIGHT);
  });

  it("the older form with all symbols beside the batches", async () => {
    const { fetchTimestamp } = barOf("BHP");
    await stored.putBars(
      [
        barOf("BHP", { close: 1, batchNumber: null, fetchTimestamp: fetchTimestamp - 1 }),
        barOf("WOW", { close: 2, batchNumber: null, fetchTimestamp: fetchTimestamp + 1 }),
        barOf("ZIP", { close: 3, batchNumber: null }),
      ],
      null,
    );
    const merged = [
      ["BHP", 44.51],
      ["CBA", 119.4],
      ["WOW", 2],
      ["ZIP", 3],
    ];
    expect(await closesOf(stored.aggregator)).toEqual(isNamed ? RIGHT : merged);
  });

  it("a file that was replaced between two loads is seen", async () => {
    for (const close of [45, 46, 47]) {
      const entry = await stored.putBars([barOf("BHP", { close }), barOf("CBA", { close: 119.4 })], 0);
      if (isNamed) await putSummary([entry, batches[1]]);
      expect((await closesOf(stored.aggregator))[0]).toEqual(["BHP", close]);
    }
  });
});
