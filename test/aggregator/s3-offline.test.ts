import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Aggregator, type AggregatorOptions, type Bars, StoreUnavailableError } from "../../aggregator/index.ts";
import { StoredFileError, StoreRefusedError } from "../../domain/errors.ts";
import { foldLists } from "../../domain/listing-history.ts";
import { EMPTY_LISTING_STATE } from "../../domain/listings-file.ts";
import { listingsKey } from "../../domain/object-keys.ts";
import { encodeListings } from "../../stores/listings-file.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { putDay, S3_ENVIRONMENT, type S3Bars, startS3Bars } from "../support/s3-bars.ts";

const [MONDAY, TUESDAY, WEDNESDAY] = ["2024-05-27", "2024-05-28", "2024-05-29"] as const;
const FIRST_LOOK = Date.UTC(2024, 5, 1, 10);

let s3: S3Bars;
let nowMs: number;
let warnings: string[];

beforeEach(async () => {
  for (const [name, value] of Object.entries(S3_ENVIRONMENT)) vi.stubEnv(name, value);
  s3 = await startS3Bars();
  nowMs = FIRST_LOOK;
  warnings = [];
  await putDay(s3.store, MONDAY, { BHP: 44, CBA: 120 });
  await putDay(s3.store, TUESDAY, { BHP: 45, CBA: 121 });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await s3.close();
});

/** An aggregator on the same cache folder, as a later process would open it. */
function open(options: AggregatorOptions = {}): Promise<Aggregator> {
  return s3.open({ onWarning: (message) => warnings.push(message), now: () => nowMs, ...options });
}

function closes(bars: Bars<"symbol" | "date" | "close">): unknown[] {
  return bars.toRows().map(({ symbol, date, close }) => `${symbol} ${date} ${close}`);
}

const BOTH_DAYS = [`BHP ${MONDAY} 44`, `BHP ${TUESDAY} 45`, `CBA ${MONDAY} 120`, `CBA ${TUESDAY} 121`];

describe("a store that cannot be reached", () => {
  it("is read from the cache, as of the last look, by the process that read it before", async () => {
    const asx = await open();
    await asx.loadDateRange(MONDAY, TUESDAY);
    nowMs += 3_600_000;
    s3.answers(503);
    const bars = await asx.loadDateRange(MONDAY, TUESDAY);
    expect(closes(bars)).toEqual(BOTH_DAYS);
    expect(bars.coverage.offlineSince).toEqual(new Date(FIRST_LOOK));
    expect(String(bars.coverage)).toContain("the store could not be reached");
    expect(warnings).toEqual([expect.stringMatching(/cannot .* s3:\/\/.* as of 2024-06-01T10:00:00\.000Z$/)]);
    await asx.loadDateRange(MONDAY, TUESDAY);
    expect(warnings).toHaveLength(1);
  });

  it("is read so by a later process too, where nobody listens any more", async () => {
    await (await open()).loadDateRange(MONDAY, TUESDAY);
    await s3.front.close();
    const bars = await (await open()).loadDateRange(MONDAY, TUESDAY);
    expect(closes(bars)).toEqual(BOTH_DAYS);
    expect(bars.coverage.offlineSince).toEqual(new Date(FIRST_LOOK));
  });

  it("is read for every range within one that was read", async () => {
    await (await open()).loadAll();
    s3.answers(503);
    const asx = await open();
    expect(closes(await asx.loadDate(TUESDAY))).toEqual([`BHP ${TUESDAY} 45`, `CBA ${TUESDAY} 121`]);
    expect(closes(await asx.loadSymbols(["CBA"]))).toEqual([`CBA ${MONDAY} 120`, `CBA ${TUESDAY} 121`]);
    expect((await asx.sql("SELECT count(*) AS bars FROM bars")).toRows()).toEqual([{ bars: 4 }]);
    expect((await asx.dates()).map(({ date }) => date)).toEqual([MONDAY, TUESDAY]);
    expect((await asx.missing(MONDAY, WEDNESDAY)).days).toEqual([WEDNESDAY]);
  });

  it("is told as a warning of the process where nobody asks for warnings", async () => {
    await (await open()).loadDate(MONDAY);
    s3.answers(503);
    const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    await (await s3.open({ now: () => nowMs })).loadDate(MONDAY);
    expect(emitted.mock.calls).toEqual([[expect.stringContaining("Read from the cache"), "AsxEodWarning"]]);
    emitted.mockRestore();
  });

  it("has its last list of symbols in the cache", async () => {
    const listing = {
      symbol: "BHP",
      name: "BHP GROUP",
      industryGroup: "Materials",
      listingDate: null,
      marketCap: null,
    };
    await s3.store.put(`symbols/${MONDAY}-symbols.csv`, encodeSymbolsCsv([listing]));
    expect(await (await open()).listings(TUESDAY)).toEqual([listing]);
    s3.answers(503);
    expect(await (await open()).listings(TUESDAY)).toEqual([listing]);
    expect(warnings).toHaveLength(1);
  });

  it("has its listings over time in the cache, and reads its file of them once", async () => {
    const listing = { symbol: "BHP", name: "OLDER", industryGroup: "Materials", listingDate: null, marketCap: null };
    const lists = [
      { date: MONDAY, sha256: "a".repeat(64), listings: [listing] },
      { date: TUESDAY, sha256: "b".repeat(64), listings: [] },
      { date: WEDNESDAY, sha256: "c".repeat(64), listings: [{ ...listing, name: "NEWER" }] },
    ];
    const state = { ...EMPTY_LISTING_STATE, history: foldLists(lists) };
    for (const { date, listings } of lists)
      await s3.store.put(`symbols/${date}-symbols.csv`, encodeSymbolsCsv(listings));
    await s3.store.put(listingsKey, encodeListings(state));
    const names = async () => (await (await open()).listingHistory()).values("name");
    expect(await names()).toEqual(["OLDER", "NEWER"]);
    const load = async () => (await open()).loadSymbols(["BHP"]);
    expect((await load()).coverage.reusedCodes).toHaveLength(1);
    expect(s3.requests().gets.filter((key) => !/^(raw-data|runs)/.test(key))).toEqual([listingsKey]);
    s3.answers(503);
    expect(await names()).toEqual(["OLDER", "NEWER"]);
    expect((await load()).coverage.reusedCodes).toHaveLength(1);
  });

  it("is read fresh when it is back", async () => {
    const asx = await open();
    await asx.loadDate(MONDAY);
    s3.answers(503);
    await asx.loadDate(MONDAY);
    s3.answers(undefined);
    await putDay(s3.store, MONDAY, { BHP: 46 });
    const bars = await asx.loadDate(MONDAY);
    expect([closes(bars), bars.coverage.offlineSince]).toEqual([[`BHP ${MONDAY} 46`], null]);
    nowMs += 60_000;
    s3.answers(503);
    expect(closes(await asx.loadDate(MONDAY))).toEqual([`BHP ${MONDAY} 46`]);
    expect(warnings).toHaveLength(2);
  });

  it("has its bars without a run summary in the cache as well", async () => {
    await fetch(`${s3.front.endpoint}/${s3.url.slice(5)}/runs/${MONDAY}.json`, { method: "DELETE" });
    const before = await (await open()).loadDateRange(MONDAY, TUESDAY);
    s3.answers(503);
    const bars = await (await open()).loadDateRange(MONDAY, TUESDAY);
    expect(closes(bars)).toEqual(BOTH_DAYS);
    expect(bars.coverage.unrecorded).toEqual(before.coverage.unrecorded);
  });

  it("in the middle of a load is read as it was before: never half of one state and half of another", async () => {
    await (await open()).loadDateRange(MONDAY, TUESDAY);
    await putDay(s3.store, TUESDAY, { BHP: 50, CBA: 51 });
    s3.onRequest(async (request) => {
      if (request.startsWith("GET raw-data/")) s3.answers(503);
    });
    const bars = await (await open()).loadDateRange(MONDAY, TUESDAY);
    expect(closes(bars)).toEqual(BOTH_DAYS);
    expect(bars.coverage.offlineSince).toEqual(new Date(FIRST_LOOK));
  });

  it("is told since its last look, where one found nothing new", async () => {
    const asx = await open();
    await asx.loadDate(MONDAY);
    nowMs += 60_000;
    await asx.loadDate(MONDAY);
    s3.answers(503);
    expect((await asx.loadDate(MONDAY)).coverage.offlineSince).toEqual(new Date(FIRST_LOOK + 60_000));
  });

  it("is read with the files that were bad left out and told, as before", async () => {
    await s3.store.put(`raw-data/${MONDAY}-batch-1.parquet`, new Uint8Array(100));
    const before = await (await open()).loadDate(MONDAY, { onBadFile: "skip" });
    s3.answers(503);
    const asx = await open();
    const bars = await asx.loadDate(MONDAY, { onBadFile: "skip" });
    expect(closes(bars)).toEqual(closes(before));
    expect(bars.coverage.skipped.map(({ key }) => key)).toEqual(before.coverage.skipped.map(({ key }) => key));
    await expect(asx.loadDate(MONDAY)).rejects.toThrow(/batch-1\.parquet is not the file that runs.*cannot be reached/);
  });
});

describe("what the cache lacks while the store cannot be reached", () => {
  it("is an error: a range that was not read before", async () => {
    await (await open()).loadDate(MONDAY);
    s3.answers(503);
    const asx = await open();
    await expect(asx.loadDateRange(MONDAY, TUESDAY)).rejects.toThrow(StoreUnavailableError);
    await expect(asx.loadDateRange(MONDAY, TUESDAY)).rejects.toThrow(
      `cannot stand in: ${MONDAY} to ${TUESDAY} was not read before`,
    );
    expect(warnings).toEqual([]);
  });

  it("is an error: a file that was evicted since", async () => {
    await (await open()).loadDate(MONDAY);
    await rm(await cachedFile(`${MONDAY}-batch-1`));
    s3.answers(503);
    const asx = await open();
    for (const onBadFile of ["error", "skip"] as const) {
      await expect(asx.loadDate(MONDAY, { onBadFile })).rejects.toThrow(
        new RegExp(`${MONDAY}-batch-1\\.parquet is not in the cache .*cannot be reached`),
      );
    }
  });

  it("is an error: a file that is damaged on this disk", async () => {
    await (await open()).loadDate(MONDAY);
    const path = await cachedFile(`${MONDAY}-batch-1`);
    await writeFile(
      path,
      (await readFile(path)).map((byte, at) => (at === 100 ? byte ^ 1 : byte)),
    );
    s3.answers(503);
    await expect((await open()).loadDate(MONDAY)).rejects.toThrow(
      /batch-1\.parquet is not the file.*or its copy in the cache is damaged.*cannot be reached/,
    );
  });

  it("is read again when the store is back", async () => {
    await (await open()).loadDate(MONDAY);
    await rm(s3.cacheDir, { recursive: true });
    s3.answers(503);
    const asx = await open();
    await expect(asx.loadDate(MONDAY)).rejects.toThrow(StoreUnavailableError);
    s3.answers(undefined);
    expect((await asx.loadDate(MONDAY)).length).toBe(2);
  });
});

describe("a store that refuses", () => {
  it("is an error, whatever the cache holds", async () => {
    const asx = await open();
    await asx.loadDate(MONDAY);
    s3.answers(403);
    await expect(asx.loadDate(MONDAY)).rejects.toThrow(StoreRefusedError);
    await expect((await open()).loadDate(MONDAY)).rejects.toThrow(StoreRefusedError);
    expect(warnings).toEqual([]);
  });

  it("to stand still is an error, and not read from the cache", async () => {
    const asx = await open();
    await asx.loadDate(MONDAY);
    let changes = 0;
    s3.onRequest(async (request) => {
      if (request === `LIST runs/${MONDAY}.json`) await putDay(s3.store, MONDAY, { BHP: 50 + changes++ });
    });
    await expect(asx.loadDate(MONDAY)).rejects.toThrow(/changed while it was read/);
    expect(changes).toBeGreaterThan(0);
    expect(warnings).toEqual([]);
  });

  it("a file by its hash is an error offline as well", async () => {
    await s3.store.put(`raw-data/${MONDAY}-batch-1.parquet`, new Uint8Array(100));
    await expect((await open()).loadDate(MONDAY)).rejects.toThrow(StoredFileError);
  });
});

async function cachedFile(name: string): Promise<string> {
  const paths = await readdir(s3.cacheDir, { recursive: true });
  return join(s3.cacheDir, paths.find((path) => path.includes(`${name}.`)) ?? expect.fail(`${name} is not cached`));
}
