/** What backfills stored is read with the daily files: exactly what their records name, and of each bar the one fetched last. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseCuratedManifest } from "../../aggregator/curated-manifest.ts";
import { DateNotStoredError, StoredFileError } from "../../aggregator/index.ts";
import { encodeHistoryFile } from "../../lambdas/runtime/history-file-writer.ts";
import { type BarStore, barOf, closesOf, openBarStore } from "../support/bar-store.ts";
import { putBackfill } from "../support/history-store.ts";

const SPAN = { from: "2023-12-28", to: "2024-01-03" };
const RECORD = "backfills/2023-12-28_2024-01-03.json";
const FILE = "history/2023-12-28_2024-01-03-batch-0.parquet";
/** The trading days of the span. */
const DATES = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03"];
const FETCHED = Date.parse("2024-06-20T11:30:00Z");

let stored: BarStore;
beforeEach(async () => {
  stored = await openBarStore();
});
afterEach(async () => {
  await stored.close();
});

function past(symbol: string, close: number, dates: readonly string[] = DATES, fetchTimestamp = FETCHED) {
  const prices = { open: close, high: close, low: close, close };
  return dates.map((date) => barOf(symbol, { date, ...prices, fetchTimestamp }));
}

/** Stores a run's day of one bar that was fetched before or after the backfill. */
async function putDaily(date: string, symbol: string, close: number, fetchTimestamp = FETCHED - 1) {
  const entry = await stored.putBars(past(symbol, close, [date], fetchTimestamp), 0, date);
  await stored.putSummary([entry], [symbol], { date });
  return entry;
}

async function closesByDate(symbol: string): Promise<Record<string, number>> {
  const { aggregator } = stored;
  const bars = await aggregator.loadSymbols([symbol], { columns: ["close"] });
  const all = (await aggregator.loadAll()).of(symbol).toRows();
  expect(all.map(({ date, close }) => ({ symbol, date, close }))).toEqual(bars.toRows());
  const read = await aggregator.sql("SELECT date::VARCHAR AS date, close FROM bars WHERE symbol = $1 ORDER BY date", [
    symbol,
  ]);
  const rows = read.toRows().map(({ date, close }) => [String(date), Number(close)]);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(bars.toRows().map(({ date, close }) => [date, close])));
  return Object.fromEntries(rows);
}

describe("the bars of a backfill", () => {
  it("are read of every date, and the bar that was fetched last counts, whichever file it stands in", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    await putDaily("2023-12-29", "BHP", 43);
    await putDaily("2024-01-02", "BHP", 45, FETCHED + 1);
    await putDaily("2024-01-04", "BHP", 46);
    expect(await closesByDate("BHP")).toEqual({
      ...{ "2023-12-28": 44, "2023-12-29": 44, "2024-01-02": 45, "2024-01-03": 44 },
      "2024-01-04": 46,
    });
    expect(await closesOf(stored.aggregator, "2024-01-02")).toEqual([
      ["BHP", 45],
      ["CBA", 110],
    ]);
    expect(await stored.aggregator.availableSymbols()).toEqual(["BHP", "CBA"]);
    expect(await stored.aggregator.dateRange()).toEqual({ from: "2023-12-28", to: "2024-01-04" });
    expect(await stored.aggregator.latestDate()).toBe("2024-01-04");
    const rows = (await stored.aggregator.dates()).map(({ date, rows: count }) => [date, count]);
    expect(Object.fromEntries(rows)).toEqual({
      ...{ "2023-12-28": 2, "2023-12-29": 2, "2024-01-02": 2, "2024-01-03": 2 },
      "2024-01-04": 1,
    });
  });

  it("of two backfills over the same dates are those fetched last, each symbol and date once", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    const span = { from: "2023-12-29", to: "2024-01-02" };
    await putBackfill(stored.store, {
      ...{ span, isNamed: true },
      batches: [past("BHP", 47, ["2023-12-29", "2024-01-02"], FETCHED + 1), past("NAB", 30, ["2024-01-02"])],
    });
    expect(await closesByDate("BHP")).toEqual({
      ...{ "2023-12-28": 44, "2023-12-29": 47, "2024-01-02": 47, "2024-01-03": 44 },
    });
    expect(await closesByDate("NAB")).toEqual({ "2024-01-02": 30 });
    const { coverage } = await stored.aggregator.loadAll();
    expect(coverage.days.map(({ rows }) => rows)).toEqual([2, 2, 3, 2]);
  });

  it("are read from the files that a record names alone, and from another record's as soon as it is there", async () => {
    const { aggregator, store } = stored;
    const other = await encodeHistoryFile({ bars: past("CBA", 110), reports: [], source: "sandbox" });
    await store.put("history/2023-12-28_2024-01-03-batch-1.parquet", other);
    await store.put("history/notes.parquet", new Uint8Array([1, 2, 3]));
    await store.put("backfills/2023-12-28_2024-01-03.lock", new TextEncoder().encode("{}"));
    expect((await aggregator.loadAll()).length).toBe(0);
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44)] });
    expect((await aggregator.loadAll()).symbols).toEqual(["BHP"]);
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    expect((await aggregator.loadAll()).symbols).toEqual(["BHP", "CBA"]);
    expect((await aggregator.sql("SELECT count(*) AS n FROM bars")).toRows()).toEqual([{ n: 8 }]);
    await store.remove(RECORD);
    expect((await aggregator.loadAll()).length).toBe(0);
    await expect(aggregator.loadDate("2024-01-02")).rejects.toThrow(DateNotStoredError);
  });
});

describe("a file of a backfill", () => {
  it.each([
    [
      "missing",
      () => rm(join(stored.folder, FILE)),
      /batch-0\.parquet is missing, but backfills\/2023-12-28_2024-01-03\.json names it/,
    ],
    [
      "damaged",
      async () => {
        const bytes = await readFile(join(stored.folder, FILE));
        bytes[200] = (bytes[200] ?? 0) ^ 1;
        await stored.store.put(FILE, bytes);
      },
      /is damaged, or not the file that backfills\/.* names: its SHA-256 is/,
    ],
    [
      "of another backfill",
      async () =>
        stored.store.put(FILE, await encodeHistoryFile({ bars: past("BHP", 99), reports: [], source: "sandbox" })),
      /is damaged, or not the file that/,
    ],
  ])("that is %s ends a load, or is left out and told; the others are read", async (_, harm, message) => {
    const { aggregator, store } = stored;
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    await putDaily("2024-01-03", "BHP", 43);
    await aggregator.loadAll();
    await harm();
    for (const ask of [
      () => aggregator.loadAll(),
      () => aggregator.loadDate("2024-01-02"),
      () => aggregator.sql("SELECT * FROM bars"),
      () => aggregator.compact(),
    ]) {
      await expect(ask()).rejects.toThrow(StoredFileError);
      await expect(ask()).rejects.toThrow(message);
    }
    const bars = await aggregator.loadAll({ onBadFile: "skip" });
    expect(bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`)).toEqual([
      "BHP 2024-01-03 43",
      ...DATES.map((date) => `CBA ${date} 110`),
    ]);
    expect(bars.coverage.days.map(({ rows }) => rows)).toEqual([1, 1, 1, 2]);
    expect(bars.coverage.skipped.map(({ key }) => key)).toEqual([FILE]);
    const { unreadable } = await aggregator.missing("2023-12-28", "2024-01-03");
    expect(unreadable).toEqual([
      {
        key: FILE,
        reason: expect.stringMatching(message.source.includes("missing") ? "missing" : "damaged"),
        date: null,
      },
    ]);
  });

  it("is not needed where a compacted file holds what it held", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44)] });
    await stored.aggregator.compact();
    await rm(join(stored.folder, FILE));
    expect(Object.keys(await closesByDate("BHP"))).toEqual(DATES);
  });

  it.each([
    ["is no JSON", () => new TextEncoder().encode("{"), /is damaged or no record of a backfill/],
    ["names more bars by date than files have", () => undefined, /names files of 4 bars and dates of 9/],
  ])("is not read where its record %s", async (_, bytesOf, message) => {
    const { aggregator, store } = stored;
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44)], record: { days: { "2024-01-02": 9 } } });
    const bytes = bytesOf();
    if (bytes !== undefined) await store.put(RECORD, bytes);
    await putDaily("2024-01-03", "BHP", 43);
    for (const ask of [() => aggregator.loadDate("2024-01-03"), () => aggregator.compact()]) {
      await expect(ask()).rejects.toThrow(StoredFileError);
      await expect(ask()).rejects.toThrow(message);
    }
    const bars = await aggregator.loadAll({ onBadFile: "skip" });
    expect(bars.toRows().map(({ date, close }) => [date, close])).toEqual([["2024-01-03", 43]]);
    expect(bars.coverage.skipped.map(({ key }) => key)).toEqual([RECORD]);
    expect((await aggregator.missing("2023-12-28", "2024-01-03")).unreadable).toMatchObject([
      { key: RECORD, date: null },
    ]);
  });

  it("leaves open what is stored where its record is damaged: that is told, and no day of its span is missing", async () => {
    const { aggregator, store } = stored;
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44)] });
    await store.put(RECORD, new TextEncoder().encode("{"));
    for (const ask of [
      () => aggregator.dates(),
      () => aggregator.dateRange(),
      () => aggregator.latestDate(),
      () => aggregator.sql("FROM runs"),
      () => aggregator.sql("FROM calendar"),
    ]) {
      await expect(ask()).rejects.toThrow(StoredFileError);
      await expect(ask()).rejects.toThrow(`${RECORD} is damaged`);
    }
    const lacking = await aggregator.missing("2023-12-27", "2024-01-04");
    expect(lacking).toMatchObject({ days: ["2023-12-27", "2024-01-04"], failed: [], unrecorded: [], isNothing: false });
    expect(lacking.unreadable.map(({ key, date }) => [key, date])).toEqual([[RECORD, null]]);
  });
});

it("a file of actions that cannot be read is told with what is lacking", async () => {
  await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44)] });
  const missing = () => stored.aggregator.missing("2023-12-28", "2024-01-03");
  expect(await missing()).toMatchObject({ unreadable: [], isNothing: true });
  await stored.store.put("actions/2024.csv", new TextEncoder().encode("{"));
  expect(await missing()).toMatchObject({
    unreadable: [{ key: "actions/2024.csv", date: null, reason: expect.stringContaining("asx actions --rebuild") }],
    isNothing: false,
  });
});

describe("compaction", () => {
  async function manifest() {
    return parseCuratedManifest("curated/manifest.json", await stored.bytesOf("curated/manifest.json"));
  }

  it("merges backfills with daily files by year, and has nothing to do the second time", async () => {
    const { aggregator, store } = stored;
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    const entry = await putDaily("2024-01-02", "BHP", 45, FETCHED + 1);
    const before = (await aggregator.loadAll()).toRows();
    const { files, written } = await aggregator.compact();
    expect(files.map(({ rows, days }) => [rows, days])).toEqual([
      [4, 2],
      [4, 2],
    ]);
    expect(written).toHaveLength(2);
    expect((await aggregator.compact()).written).toEqual([]);
    expect((await aggregator.loadAll()).toRows()).toEqual(before);
    const sums = (await manifest()).files[1]?.days["2024-01-02"]?.sums ?? "";
    expect(sums.split("\n")).toEqual([
      `${entry.sha256}  2024-01-02-batch-0.parquet`,
      expect.stringMatching(`^[0-9a-f]{64}  ${RECORD.replaceAll(".", "\\.")}$`),
      "",
    ]);
  });

  it("writes the years of a changed backfill again, and no others", async () => {
    const { aggregator, store } = stored;
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44)] });
    await putDaily("2022-06-01", "BHP", 40);
    await aggregator.compact();
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44)], finishedAt: "2024-06-21T12:00:00.000Z" });
    expect((await aggregator.compact()).written).toEqual([]);
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    expect((await aggregator.loadAll()).length).toBe(9);
    const { written, unchanged } = await aggregator.compact();
    expect(written.map((key) => key.slice(0, 17))).toEqual(["curated/bars-2023", "curated/bars-2024"]);
    expect(unchanged.map((key) => key.slice(0, 17))).toEqual(["curated/bars-2022"]);
    expect(Object.keys(await closesByDate("CBA"))).toEqual(DATES);
  });

  it("gives the same bytes, whether bars came in by days or by a backfill", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    const [, file] = (await stored.aggregator.compact()).written;
    const other = await openBarStore();
    try {
      for (const date of DATES.slice(2)) {
        const bars = [...past("BHP", 44, [date]), ...past("CBA", 110, [date])];
        await other.putSummary([await other.putBars(bars, 0, date)], ["BHP", "CBA"], { date });
      }
      expect((await other.aggregator.compact()).written).toEqual([file]);
    } finally {
      await other.close();
    }
  });

  it("leaves the compacted copy of a backfill whose record is damaged, where it may leave dates out", async () => {
    const { aggregator, store } = stored;
    await putBackfill(store, { span: SPAN, batches: [past("BHP", 44)] });
    await aggregator.compact();
    await store.put(RECORD, new TextEncoder().encode("{"));
    const { skipped, written, rows } = await aggregator.compact({ onBadFile: "skip" });
    expect(skipped.map(({ date, key }) => [date, key])).toEqual(DATES.map((date) => [date, RECORD]));
    expect([written, rows]).toEqual([[], 4]);
  });

  it("of one date has the bars of the backfill", async () => {
    await putBackfill(stored.store, { span: SPAN, batches: [past("BHP", 44), past("CBA", 110)] });
    await putDaily("2024-01-02", "BHP", 45, FETCHED + 1);
    expect(await stored.aggregator.mergeDailyBatches("2024-01-02")).toMatchObject({
      rows: 2,
      batches: 1,
      backfills: 1,
    });
    expect(await stored.aggregator.mergeDailyBatches("2024-01-03")).toMatchObject({
      rows: 2,
      batches: 0,
      backfills: 1,
    });
    expect(await closesByDate("BHP")).toMatchObject({ "2024-01-02": 45, "2024-01-03": 44 });
  });
});
