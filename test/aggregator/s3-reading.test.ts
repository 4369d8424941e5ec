import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Bars } from "../../aggregator/index.ts";
import { StoredFileError, StoreRefusedError } from "../../domain/errors.ts";
import { runKey } from "../../domain/object-keys.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { barOf, putBatch, putDay, putRun, S3_ENVIRONMENT, type S3Bars, startS3Bars } from "../support/s3-bars.ts";

const DAY = "2024-05-31";
const BEFORE = "2024-05-30";

let s3: S3Bars;

beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
  s3 = await startS3Bars();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

function closes(bars: Bars<"symbol" | "date" | "close">): unknown[] {
  return bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
}

describe("bars of a bucket", () => {
  it("are those stored, by date, range, symbol and query", async () => {
    await putDay(s3.store, BEFORE, { BHP: 44, CBA: 120 });
    await putDay(s3.store, DAY, { BHP: 45, CBA: 121, WOW: 31 });
    const asx = await s3.open();
    expect((await asx.loadDate(DAY)).toRows()).toEqual(
      Object.entries({ BHP: 45, CBA: 121, WOW: 31 }).map(([symbol, close], batchNumber) =>
        rowOfBar(barOf(symbol, DAY, { open: close, high: close, low: close, close, batchNumber })),
      ),
    );
    expect(closes(await asx.loadDateRange(BEFORE, DAY, { symbols: ["CBA", "BHP"] }))).toEqual([
      `BHP ${BEFORE} 44`,
      `BHP ${DAY} 45`,
      `CBA ${BEFORE} 120`,
      `CBA ${DAY} 121`,
    ]);
    expect(closes(await asx.loadSymbols(["WOW"]))).toEqual([`WOW ${DAY} 31`]);
    const query = "SELECT symbol, max(close) AS highest FROM bars WHERE date >= $1 GROUP BY 1 ORDER BY 1 LIMIT 1";
    expect((await asx.sql(query, [BEFORE])).toRows()).toEqual([{ symbol: "BHP", highest: 45 }]);
    expect((await asx.dates()).map(({ date, status, rows }) => [date, status, rows])).toEqual([
      [BEFORE, "complete", 2],
      [DAY, "complete", 3],
    ]);
  });

  it("are told since when the store was not reached only where it was not", async () => {
    await putDay(s3.store, DAY, { BHP: 44 });
    expect((await (await s3.open()).loadDate(DAY)).coverage.offlineSince).toBeNull();
  });

  it("are no error of a bucket that is not there: it is named", async () => {
    const { Aggregator } = await import("../../aggregator/index.ts");
    const { front, cacheDir } = s3;
    const asx = await Aggregator.open("s3://no-such-bucket", { endpoint: front.endpoint, cacheDir });
    await expect(asx.loadDate(DAY)).rejects.toThrow(StoreRefusedError);
    await expect(asx.loadDate(DAY)).rejects.toThrow("s3://no-such-bucket");
    await asx.close();
  });
});

describe("the requests of", () => {
  it("a date: its files once, and then six listings at most", async () => {
    await putDay(s3.store, DAY, { BHP: 44, CBA: 120, WOW: 31 });
    const asx = await s3.open();
    await asx.loadDate(DAY);
    expect(s3.requests().gets.toSorted()).toEqual([
      ...[0, 1, 2].map((batch) => `raw-data/${DAY}-batch-${batch}.parquet`),
      runKey(DAY),
    ]);
    await asx.loadDate(DAY);
    const { gets, lists } = s3.requests();
    expect(gets).toEqual([]);
    expect(lists.length).toBeLessThanOrEqual(6);
  });

  it("a date, in a later process with the same cache: listings, of backfills too, and a look at the file of companies", async () => {
    await putDay(s3.store, DAY, { BHP: 44, CBA: 120, CSL: 280, WOW: 31 });
    await (await s3.open()).loadDate(DAY);
    s3.requests();
    await (await s3.open()).loadDate(DAY);
    const { gets, lists } = s3.requests();
    expect(gets).toEqual([]);
    expect(lists.length).toBeLessThanOrEqual(5);
  });

  it("a range: a few listings however many days it has", async () => {
    for (let day = 1; day <= 28; day += 1)
      await putDay(s3.store, `2024-02-${String(day).padStart(2, "0")}`, { BHP: 44, CBA: 120 });
    const asx = await s3.open();
    await asx.loadDateRange("2024-02-01", "2024-02-28");
    const cold = s3.requests();
    expect(cold.gets).toHaveLength(28 * 3);
    expect(cold.lists.length).toBeLessThanOrEqual(8);
    expect((await asx.loadDateRange("2024-02-01", "2024-02-28")).length).toBe(56);
    const warm = s3.requests();
    expect(warm.gets).toEqual([]);
    expect(warm.lists.length).toBeLessThanOrEqual(5);
  });

  it("the list of symbols: its file once", async () => {
    const listing = {
      symbol: "BHP",
      name: "BHP GROUP",
      industryGroup: "Materials",
      listingDate: null,
      marketCap: null,
    };
    await s3.store.put(`symbols/${DAY}-symbols.csv`, encodeSymbolsCsv([listing]));
    const asx = await s3.open();
    expect(await asx.listings(DAY)).toEqual([listing]);
    expect((await asx.sql("SELECT symbol FROM symbols")).toRows()).toEqual([{ symbol: "BHP" }]);
    expect(s3.requests().gets).toEqual([`symbols/${DAY}-symbols.csv`]);
    await s3.store.put(`symbols/${DAY}-symbols.csv`, encodeSymbolsCsv([{ ...listing, symbol: "CBA" }]));
    expect((await asx.sql("SELECT symbol FROM symbols")).toRows()).toEqual([{ symbol: "CBA" }]);
  });
});

describe("an object that is", () => {
  it("changed, with a new run summary, is read anew", async () => {
    await putDay(s3.store, DAY, { BHP: 44, CBA: 120 });
    const asx = await s3.open();
    expect(closes(await asx.loadDate(DAY))).toEqual([`BHP ${DAY} 44`, `CBA ${DAY} 120`]);
    s3.requests();
    await putDay(s3.store, DAY, { BHP: 45, CBA: 120 });
    expect(closes(await asx.loadDate(DAY))).toEqual([`BHP ${DAY} 45`, `CBA ${DAY} 120`]);
    expect(s3.requests().gets.toSorted()).toEqual([`raw-data/${DAY}-batch-0.parquet`, runKey(DAY)]);
  });

  it("changed without one is an error that names it and both hashes", async () => {
    await putDay(s3.store, DAY, { BHP: 44, CBA: 120 });
    const asx = await s3.open();
    await asx.loadDate(DAY);
    await putBatch(s3.store, DAY, 1, [barOf("CBA", DAY, { close: 119 })]);
    const later = await s3.open();
    for (const reader of [asx, later]) {
      const error: unknown = await reader.loadDate(DAY).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StoredFileError);
      expect(error).toMatchObject({
        message: expect.stringMatching(/batch-1\.parquet is not the file.*SHA-256 is \w{64}/),
      });
    }
    const { coverage, length } = await later.loadDate(DAY, { onBadFile: "skip" });
    expect([length, coverage.skipped.map(({ key }) => key)]).toEqual([1, [`raw-data/${DAY}-batch-1.parquet`]]);
  });

  it("deleted after it was read is an error in the same process too", async () => {
    await putDay(s3.store, DAY, { BHP: 44, CBA: 120 });
    const asx = await s3.open();
    await asx.loadDate(DAY);
    await deleteObject(`raw-data/${DAY}-batch-1.parquet`);
    await expect(asx.loadDate(DAY)).rejects.toThrow(`${s3.url}/raw-data/${DAY}-batch-1.parquet is missing`);
  });

  it("deleted is an error that names it, or is left out and told", async () => {
    await putDay(s3.store, DAY, { BHP: 44, CBA: 120 });
    await deleteObject(`raw-data/${DAY}-batch-1.parquet`);
    const asx = await s3.open();
    await expect(asx.loadDate(DAY)).rejects.toThrow(`${s3.url}/raw-data/${DAY}-batch-1.parquet is missing`);
    const bars = await asx.loadDate(DAY, { onBadFile: "skip" });
    expect(closes(bars)).toEqual([`BHP ${DAY} 44`]);
    expect(bars.coverage.skipped).toMatchObject([{ key: `raw-data/${DAY}-batch-1.parquet` }]);
  });

  it("put back is read again", async () => {
    await putDay(s3.store, DAY, { BHP: 44 });
    const bytes = (await s3.store.get(`raw-data/${DAY}-batch-0.parquet`)) ?? expect.fail();
    await deleteObject(`raw-data/${DAY}-batch-0.parquet`);
    const asx = await s3.open();
    await expect(asx.loadDate(DAY)).rejects.toThrow("is missing");
    await s3.store.put(`raw-data/${DAY}-batch-0.parquet`, bytes);
    expect(closes(await asx.loadDate(DAY))).toEqual([`BHP ${DAY} 44`]);
  });

  it("changed between its listing and its download is read as it is then", async () => {
    await putRun(s3.store, DAY, [await putBatch(s3.store, DAY, 0, [barOf("BHP", DAY)])]);
    const asx = await s3.open();
    let isDone = false;
    s3.onRequest(async (request) => {
      if (isDone || request !== `GET raw-data/${DAY}-batch-0.parquet`) return;
      isDone = true;
      await putDay(s3.store, DAY, { CBA: 120 });
    });
    expect(closes(await asx.loadDate(DAY))).toEqual([`CBA ${DAY} 120`]);
  });
});

async function deleteObject(key: string): Promise<void> {
  const bucket = s3.url.slice("s3://".length);
  const answer = await fetch(`${s3.front.endpoint}/${bucket}/${key}`, { method: "DELETE" });
  expect(answer.status).toBe(204);
}
