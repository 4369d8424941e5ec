import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Aggregator } from "../../aggregator/index.ts";
import { StoredFileError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createLocalStore } from "../../stores/local-store.ts";
import { sha256 } from "../../stores/sha256.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { anyBar, putBatch, putDay, putSummary } from "../support/stored-bars.ts";

const HOUR = 3_600_000;
const DAYS = ["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"];

let folder: string;
let store: ObjectStore;
let now: number;
let aggregator: Aggregator;

async function openAgain(): Promise<void> {
  await aggregator?.close();
  await mkdir(join(folder, "store"), { recursive: true });
  aggregator = await Aggregator.open(`file:${join(folder, "store")}`, {
    cacheDir: join(folder, "cache"),
    now: () => now,
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "asx-eod-compact-"));
  store = createLocalStore(join(folder, "store"));
  now = Date.parse("2024-02-01T00:00:00Z");
  await openAgain();
});
afterEach(async () => {
  await aggregator.close();
  await rm(folder, { recursive: true, force: true });
});

function barsOf(date: string, version = 0) {
  return [
    [anyBar("BHP", date, version, 0), anyBar("CBA", date, version, 0)],
    [anyBar("360", date, version, 1), anyBar("WOW", date, version, 1)],
  ];
}

async function putDays(dates: readonly string[] = DAYS): Promise<void> {
  for (const date of dates) await putDay(store, date, barsOf(date));
}

/** What loading everything has to give. */
function expectedRows(dates: readonly string[], versionOf: (date: string) => number = () => 0) {
  const bars = dates.flatMap((date) => barsOf(date, versionOf(date)).flat());
  return bars
    .map(rowOfBar)
    .sort((left, right) => (`${left.symbol} ${left.date}` < `${right.symbol} ${right.date}` ? -1 : 1));
}

async function loadedRows() {
  return (await aggregator.loadAll()).toRows();
}

async function curatedKeys(): Promise<string[]> {
  return (await store.list("curated/")).map(({ key }) => key).filter((key) => key.endsWith(".parquet"));
}

async function manifest() {
  const bytes = await store.get("curated/manifest.json");
  return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
}

async function removeRaw(date: string): Promise<void> {
  for (const { key } of await store.list(`raw-data/${date}`)) await store.remove(key);
}

describe("compacting", () => {
  it("makes one file a calendar year, named for its bytes, and tells what it did", async () => {
    await putDays();
    const result = await aggregator.compact();
    expect(result).toMatchObject({ unchanged: [], removed: [], skipped: [], rows: 28 });
    expect(result.files.map(({ key, rows, days }) => [key.slice(0, 17), rows, days])).toEqual([
      ["curated/bars-2023", 8, 2],
      ["curated/bars-2024", 20, 5],
    ]);
    expect(result.written).toEqual(result.files.map(({ key }) => key));
    for (const { key, bytes } of result.files) {
      const stored = (await store.get(key)) ?? new Uint8Array();
      expect(stored.length).toBe(bytes);
      expect(key).toContain(`-${sha256(stored).slice(0, 16)}.parquet`);
    }
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
  });

  it("sorts by symbol and date, keeps every column, and packs with Zstandard", async () => {
    await putDays();
    const [, { key } = { key: "" }] = (await aggregator.compact()).files;
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const path = join(folder, "store", key);
    const rows = await connection.runAndReadAll(`SELECT symbol || ' ' || date AS at FROM read_parquet('${path}')`);
    const places = rows.getRowObjects().map(({ at }) => String(at));
    expect(places).toEqual(places.toSorted());
    const meta = await connection.runAndReadAll(
      `SELECT path_in_schema AS name, any_value(compression) AS codec FROM parquet_metadata('${path}') GROUP BY 1, column_id ORDER BY column_id`,
    );
    expect(meta.getRowObjects().map(({ name }) => name)).toEqual([
      ...["symbol", "date", "open", "high", "low", "close", "adjusted_close", "volume", "dividend"],
      ...["split_ratio", "fetch_timestamp", "batch_number"],
    ]);
    expect(new Set(meta.getRowObjects().map(({ codec }) => codec))).toEqual(new Set(["ZSTD"]));
    connection.closeSync();
    instance.closeSync();
  });

  it("keeps of bars that stand twice the one fetched last, then of the higher batch number", async () => {
    const [day] = DAYS;
    if (day === undefined) return;
    await putBatch(store, day, null, [{ ...anyBar("BHP", day, 5, null), close: 12 }, anyBar("CBA", day, 1, null)]);
    await putBatch(store, day, 0, [anyBar("BHP", day, 2, 0), anyBar("CBA", day, 3, 0), anyBar("WOW", day, 4, 0)]);
    await putBatch(store, day, 1, [{ ...anyBar("WOW", day, 4, 1), close: 13.5 }]);
    const before = await loadedRows();
    expect(before.map(({ symbol, close }) => [symbol, close])).toEqual([
      ["BHP", 12],
      ["CBA", 13],
      ["WOW", 13.5],
    ]);
    expect((await aggregator.compact()).rows).toBe(3);
    await removeRaw(day);
    expect(await loadedRows()).toEqual(before);
  });

  it("writes nothing where nothing has changed, and nothing in an empty store", async () => {
    expect(await aggregator.compact()).toMatchObject({ files: [], written: [], rows: 0 });
    expect(await store.list("curated/")).toEqual([]);
    await putDays();
    const { written } = await aggregator.compact();
    const before = await store.list("curated/");
    now += HOUR;
    expect(await aggregator.compact()).toMatchObject({ written: [], unchanged: written, removed: [] });
    await openAgain();
    expect(await aggregator.compact()).toMatchObject({ written: [], unchanged: written });
    expect(await store.list("curated/")).toEqual(before);
  });

  it("rewrites the year of a new day alone, and reads only the new day's batches", async () => {
    await putDays(DAYS.slice(0, -1));
    const first = await aggregator.compact();
    for (const date of DAYS.slice(0, -1)) await removeRaw(date);
    await putDays(DAYS.slice(-1));
    await openAgain();
    const second = await aggregator.compact();
    expect(second.unchanged).toEqual([first.written[0]]);
    expect(second.written).toHaveLength(1);
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
  });

  it("gives the same bytes for the same bars, whether compacted at once or day by day", async () => {
    for (const date of DAYS) {
      await putDay(store, date, barsOf(date));
      await aggregator.compact();
    }
    const byDays = (await aggregator.compact()).files;
    await store.remove("curated/manifest.json");
    await openAgain();
    expect((await aggregator.compact()).files).toEqual(byDays);
  });

  it("compacts a day again that was run again; until then its batches are read", async () => {
    await putDays();
    await aggregator.compact();
    await putDay(store, "2024-01-03", barsOf("2024-01-03", 2));
    const expected = expectedRows(DAYS, (date) => (date === "2024-01-03" ? 2 : 0));
    expect(await loadedRows()).toEqual(expected);
    const second = await aggregator.compact();
    expect([second.written.length, second.unchanged.length]).toEqual([1, 1]);
    expect(await loadedRows()).toEqual(expected);
    await removeRaw("2024-01-03");
    expect(await loadedRows()).toEqual(expected);
  });

  it("takes a day out whose run ended without bars", async () => {
    await putDays();
    await aggregator.compact();
    await putSummary(store, "2024-01-03", []);
    expect((await aggregator.compact()).rows).toBe(24);
    expect(await loadedRows()).toEqual(expectedRows(DAYS.filter((date) => date !== "2024-01-03")));
  });

  it("compacts days without a run summary, and again when a file of theirs is added", async () => {
    await putBatch(store, "2024-01-02", 0, [anyBar("BHP", "2024-01-02")]);
    expect((await aggregator.compact()).rows).toBe(1);
    await putBatch(store, "2024-01-02", 1, [anyBar("CBA", "2024-01-02", 0, 1)]);
    expect((await aggregator.loadAll()).length).toBe(2);
    expect((await aggregator.compact()).rows).toBe(2);
    expect((await aggregator.loadAll()).length).toBe(2);
  });

  it("keeps history whose daily files were archived elsewhere, summaries and all", async () => {
    await putDays();
    await aggregator.compact();
    for (const date of DAYS.slice(0, -2)) {
      await removeRaw(date);
      await store.remove(`runs/${date}.json`);
    }
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
    await putDay(store, "2024-01-08", barsOf("2024-01-08", 3));
    await aggregator.compact();
    expect(await loadedRows()).toEqual(expectedRows(DAYS, (date) => (date === "2024-01-08" ? 3 : 0)));
  });

  it("makes a compacted file anew that is missing or damaged", async () => {
    await putDays();
    const { written } = await aggregator.compact();
    const [first = "", second = ""] = written;
    await store.remove(first);
    const bytes = (await store.get(second)) ?? new Uint8Array();
    const flipped = Uint8Array.from(bytes, (byte, index) => (index === 100 ? byte ^ 1 : byte));
    await store.put(second, flipped);
    await expect(aggregator.loadAll()).rejects.toThrow(StoredFileError);
    await putDay(store, "2024-01-08", barsOf("2024-01-08", 3)); // the damage is found where the year is read
    await aggregator.compact();
    expect(await loadedRows()).toEqual(expectedRows(DAYS, (date) => (date === "2024-01-08" ? 3 : 0)));
  });

  it("refuses a damaged manifest with what to do, and goes on after it", async () => {
    await putDays();
    const { written } = await aggregator.compact();
    await store.put("curated/manifest.json", new TextEncoder().encode('{"version":1'));
    await expect(aggregator.compact()).rejects.toThrow(/manifest\.json is damaged.*delete it and compact again/);
    await store.remove("curated/manifest.json");
    expect((await aggregator.compact()).written).toEqual(written);
  });
});

describe("a date that cannot be read", () => {
  it("is an error that names it, and nothing is published", async () => {
    await putDays();
    await store.remove("raw-data/2024-01-04-batch-1.parquet");
    await store.put("raw-data/2023-12-29-batch-0.parquet", new Uint8Array(5));
    const attempt = aggregator.compact();
    await expect(attempt).rejects.toThrow(StoredFileError);
    await expect(attempt).rejects.toThrow(
      /2 dates cannot be read: 2023-12-29: .*2023-12-29-batch-0.parquet .*; 2024-01-04: .*batch-1.parquet is missing/,
    );
    expect(await store.list("curated/")).toEqual([]);
  });

  it("is left out and told where that is asked for, and compacted when it is whole again", async () => {
    await putDays();
    const key = "raw-data/2024-01-04-batch-1.parquet";
    const bytes = (await store.get(key)) ?? new Uint8Array();
    await store.remove(key);
    const result = await aggregator.compact({ onBadFile: "skip" });
    expect(result.skipped).toMatchObject([{ date: "2024-01-04", key }]);
    expect(result.rows).toBe(24);
    await expect(aggregator.loadAll()).rejects.toThrow(`${key} is missing`);
    await store.put(key, bytes);
    expect((await aggregator.compact()).rows).toBe(28);
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
  });

  it("is no trouble where its compacted copy is what the run summary names", async () => {
    await putDays();
    await aggregator.compact();
    await store.remove("raw-data/2024-01-04-batch-1.parquet");
    await putDay(store, "2024-01-08", barsOf("2024-01-08", 1));
    expect(await aggregator.compact()).toMatchObject({ skipped: [], rows: 28 });
  });

  it("keeps its compacted copy where its run summary cannot be read", async () => {
    await putDays();
    await aggregator.compact();
    await store.put("runs/2024-01-04.json", new TextEncoder().encode("{"));
    await putDay(store, "2024-01-08", barsOf("2024-01-08", 1));
    await expect(aggregator.compact()).rejects.toThrow(/2024-01-04: .*runs\/2024-01-04\.json/);
    const result = await aggregator.compact({ onBadFile: "skip" });
    expect(result.skipped).toMatchObject([{ date: "2024-01-04", key: "runs/2024-01-04.json" }]);
    expect(result.rows).toBe(28);
  });
});

describe("superseded files", () => {
  it("stay for an hour, are removed then, and leave the list an hour later", async () => {
    await putDays();
    const old = (await aggregator.compact()).written;
    await putDay(store, "2024-01-03", barsOf("2024-01-03", 2));
    await aggregator.compact();
    expect((await manifest()).superseded).toEqual([{ key: old[1], since: new Date(now).toISOString() }]);
    now += HOUR;
    expect((await aggregator.compact()).removed).toEqual([]);
    now += 1;
    expect((await aggregator.compact()).removed).toEqual([old[1]]);
    expect(await curatedKeys()).not.toContain(old[1]);
    expect((await aggregator.compact()).removed).toEqual([]);
    expect((await manifest()).superseded).toHaveLength(1);
    now += HOUR;
    await aggregator.compact();
    expect((await manifest()).superseded).toEqual([]);
    expect(await loadedRows()).toEqual(expectedRows(DAYS, (date) => (date === "2024-01-03" ? 2 : 0)));
  });

  it("count what a killed compaction left, but nothing else in the folder", async () => {
    await putDays();
    await store.put("curated/bars-2024-0123456789abcdef.parquet", Uint8Array.of(1));
    await store.put("curated/notes.txt", Uint8Array.of(1));
    await aggregator.compact();
    expect((await manifest()).superseded).toMatchObject([{ key: "curated/bars-2024-0123456789abcdef.parquet" }]);
    now += HOUR + 1;
    expect((await aggregator.compact()).removed).toEqual(["curated/bars-2024-0123456789abcdef.parquet"]);
    expect(await store.get("curated/notes.txt")).toEqual(Buffer.of(1));
  });

  it("count again where their bars come back soon", async () => {
    await putDays();
    const { files } = await aggregator.compact();
    await putDay(store, "2024-01-03", barsOf("2024-01-03", 2));
    await aggregator.compact();
    await putDay(store, "2024-01-03", barsOf("2024-01-03"));
    const again = await aggregator.compact();
    expect(again.files).toEqual(files);
    const { superseded } = await manifest();
    expect(superseded).toHaveLength(1);
    now += 2 * HOUR;
    await aggregator.compact();
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
  });

  it("are not used again when they may be removed at any moment: the same bars get another key", async () => {
    await putDays();
    const [, old] = (await aggregator.compact()).written;
    await putDay(store, "2024-01-03", barsOf("2024-01-03", 2));
    await aggregator.compact();
    now += HOUR - 1;
    await putDay(store, "2024-01-03", barsOf("2024-01-03"));
    const [other] = (await aggregator.compact()).written;
    expect(other).not.toBe(old);
    now += 2;
    expect((await aggregator.compact()).removed).toEqual([old]);
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
    await removeRaw("2024");
    expect(await loadedRows()).toEqual(expectedRows(DAYS));
  });
});
