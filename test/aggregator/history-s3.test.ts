/** Backfills in a bucket: their files come through the cache, once, and are read from it where the bucket is out of reach. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Aggregator, type Bars, StoreUnavailableError } from "../../aggregator/index.ts";
import { putBackfill } from "../support/history-store.ts";
import { barOf, putDay, S3_ENVIRONMENT, type S3Bars, startS3Bars } from "../support/s3-bars.ts";

const SPAN = { from: "2024-05-23", to: "2024-05-28" };
const DATES = ["2024-05-23", "2024-05-24", "2024-05-27", "2024-05-28"];
const RECORD = "backfills/2024-05-23_2024-05-28.json";
const FILES = [0, 1].map((batchNumber) => `history/2024-05-23_2024-05-28-batch-${batchNumber}.parquet`);
const NOW = Date.UTC(2024, 5, 21);

let s3: S3Bars;
beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
  s3 = await startS3Bars();
  await putHistory(44);
  await putDay(s3.store, "2024-05-28", { BHP: 45 });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

/** The backfill was fetched before the day's run. */
async function putHistory(close: number, symbols: readonly string[] = ["BHP", "CBA"]): Promise<void> {
  const batches = symbols.map((symbol) =>
    DATES.map((date) => barOf(symbol, date, { close, low: 1, high: 999, fetchTimestamp: 1_700_000_000_000 })),
  );
  await putBackfill(s3.store, { span: SPAN, batches });
}

function open(): Promise<Aggregator> {
  return s3.open({ onWarning: () => {}, now: () => NOW });
}

function closes(bars: Bars<"symbol" | "date" | "close">): string[] {
  return bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date.slice(8)} ${close}`);
}

const ALL = ["BHP 23 44", "BHP 24 44", "BHP 27 44", "BHP 28 45", "CBA 23 44", "CBA 24 44", "CBA 27 44", "CBA 28 44"];

it("fetches the record and the files once, whichever process asks, and looks at them by listings", async () => {
  const first = await open();
  expect(closes(await first.loadAll())).toEqual(ALL);
  const { gets } = s3.requests();
  expect(gets.filter((key) => /^(?:history|backfills)\//.test(key)).sort()).toEqual([RECORD, ...FILES]);
  expect(closes(await first.loadAll())).toEqual(ALL);
  const second = await open();
  expect(closes(await second.loadAll())).toEqual(ALL);
  expect((await second.dates()).map(({ rows }) => rows)).toEqual([2, 2, 2, 2]);
  const later = s3.requests();
  expect(later.gets).toEqual([]);
  expect(later.lists).toContain("backfills/");
  await putHistory(46, ["BHP", "CBA", "NAB"]);
  expect(closes(await second.loadDate("2024-05-28"))).toEqual(["BHP 28 45", "CBA 28 46", "NAB 28 46"]);
});

it("is read from the cache where it cannot be reached, by a later process too", async () => {
  await (await open()).loadAll();
  s3.answers(503);
  const offline = await open();
  const bars = await offline.loadAll();
  expect(closes(bars)).toEqual(ALL);
  expect(bars.coverage.offlineSince).toEqual(new Date(NOW));
  expect(bars.coverage.days.map(({ status, rows }) => [status, rows])).toEqual(DATES.map(() => ["complete", 2]));
  expect(closes(await offline.loadDate("2024-05-24"))).toEqual(["BHP 24 44", "CBA 24 44"]);
  expect((await offline.sql("SELECT count(*) AS n FROM bars")).toRows()).toEqual([{ n: 8 }]);
  expect((await offline.dates()).map(({ rows }) => rows)).toEqual([2, 2, 2, 2]);
  expect((await offline.missing("2024-05-23", "2024-05-28")).isNothing).toBe(true);
});

it("is read so from compacted files that stand for the backfill's, and not where nothing was read", async () => {
  const online = await open();
  await online.loadDate("2024-05-24");
  s3.answers(503);
  await expect((await open()).loadDate("2024-05-27")).rejects.toThrow(StoreUnavailableError);
  s3.answers(undefined);
  await online.compact();
  expect(closes(await (await open()).loadAll())).toEqual(ALL);
  s3.answers(503);
  const offline = await open();
  expect(closes(await offline.loadAll())).toEqual(ALL);
  expect((await offline.dates()).map(({ status }) => status)).toEqual(DATES.map(() => "complete"));
});

it("tells a file that is gone from the bucket, though the cache has a copy", async () => {
  const asx = await open();
  await asx.loadAll();
  await s3.store.remove(FILES[1] ?? "");
  await expect(asx.loadAll()).rejects.toThrow(/batch-1\.parquet is missing, but backfills\//);
  await expect((await open()).loadAll()).rejects.toThrow(/batch-1\.parquet is missing, but backfills\//);
});
