import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import { BACKFILL_STATUSES, type BackfillRecord, backfillRecord } from "../../domain/backfill.ts";
import { NOTHING_ASKED, SYMBOL_SOURCES } from "../../domain/batch.ts";
import { StoreConflictError, StoreUnavailableError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { nameOf } from "../../domain/listing-history.ts";
import { backfillKey, listingsKey, runKey, symbolsKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { keepListings } from "../../lambdas/run-summary/keep-listings.ts";
import { SANDBOX_PATHS } from "../../sandbox/server.ts";
import { buildListings } from "../../stores/build-listings.ts";
import { decodeListings, encodeListings } from "../../stores/listings-file.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { runBackfill } from "../support/backfill-rounds.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const calendar = createTradingCalendar();
const [MONDAY, TUESDAY, WEDNESDAY, FRIDAY] = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-31"] as const;

function stored({ store }: Pick<TestRuntime, "store">) {
  return decodeListings(store.objects.get(listingsKey) ?? new Uint8Array());
}

/** The same from all that is stored. */
async function rebuilt({ store }: Pick<TestRuntime, "store">): Promise<Uint8Array> {
  return encodeListings(await buildListings({ store, calendar, warn: () => undefined }));
}

async function storeList({ store }: Pick<TestRuntime, "store">, date: string, names: Record<string, string>) {
  const listings = Object.entries(names).map(
    ([symbol, name]): Listing => ({ symbol, name, industryGroup: "Banks", listingDate: null, marketCap: null }),
  );
  await store.put(symbolsKey(date), encodeSymbolsCsv(listings));
}

/** The real workflow over a market whose directory can change between runs. */
function setUp(tiny: TinyMarket) {
  const runtime = createTestRuntime();
  const { fetch } = sandboxFetch(createTinyMarket(tiny), runtime.clock.now);
  let runs = 0;
  return {
    runtime,
    run: (date: string, event = {}) =>
      runDailyWorkflow(
        { date, acceptDirectory: true, ...event },
        {
          environment: {
            ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
            ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
            YAHOO_URL: "http://sandbox",
            BATCH_SIZE: "2",
            REQUESTS_PER_SECOND: "unlimited",
            EXTRA_SYMBOLS: "ETF",
          },
          runtime: { ...runtime, fetch },
          maxConcurrency: 2,
          onNotification: () => undefined,
          retryDelayMs: 0,
          run: `run-${++runs}`,
          longestRedriveWaitMs: 0,
        },
      ),
  };
}

function directory(names: Record<string, string>, cap = 1000): string {
  const header = "ASX code,Company name,GICs industry group,Listing date,Market Cap";
  return [header, ...Object.entries(names).map(([code, name]) => `${code},${name},Banks,01/02/2003,${cap}`)].join("\n");
}

const RECORD: BackfillRecord = {
  version: 1,
  from: "2020-01-01",
  to: FRIDAY,
  status: BACKFILL_STATUSES.complete,
  startedAt: "2024-05-31T09:30:00.000Z",
  finishedAt: "2024-05-31T09:40:00.000Z",
  source: "yahoo",
  upstream: NOTHING_ASKED,
  symbols: { total: 1, s3Key: null, source: SYMBOL_SOURCES.event, warnings: [] },
  counts: { fetched: 1, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 },
  rows: 2,
  leftOut: 0,
  days: { "2020-01-02": 1, "2024-05-30": 1 },
  batches: [],
  outcomes: [{ symbol: "AAA", outcome: "fetched", bars: 2, first: "2020-01-02", last: "2024-05-30", leftOut: 0 }],
};

async function storeRecord({ store }: Pick<TestRuntime, "store">, values: Partial<BackfillRecord> = {}): Promise<void> {
  const record = backfillRecord.parse({ ...RECORD, ...values });
  await store.put(backfillKey(RECORD), new TextEncoder().encode(JSON.stringify(record)));
}

describe("the listings over time", () => {
  it("that runs and a backfill keep are those that are made from the files of their store", async () => {
    const everyDay = { [MONDAY]: {}, [TUESDAY]: {}, [WEDNESDAY]: {}, [FRIDAY]: {} };
    const tiny: TinyMarket = { bars: { AAA: everyDay, BBB: { [TUESDAY]: {} }, CCC: everyDay, ETF: everyDay } };
    const { run, runtime } = setUp(tiny);
    tiny.directory = directory({ AAA: "ALPHA LIMITED", BBB: "BRAVO LIMITED" });
    await run(MONDAY);
    tiny.directory = directory({ AAA: "ALPHA GOLD LIMITED", CCC: "BRAVO LTD" });
    await run(TUESDAY);
    tiny.directory = directory({ AAA: "AZURE GOLD LIMITED", BBB: "BOTTLE LIMITED", CCC: "BRAVO LTD" }, 2000);
    await run(TUESDAY);
    expect(Buffer.from(runtime.store.objects.get(listingsKey) ?? []).equals(await rebuilt(runtime))).toBe(true);
    await run(FRIDAY, { catchUp: true });
    await run(WEDNESDAY);
    await runtime.store.put(backfillKey(RECORD), new TextEncoder().encode(JSON.stringify(RECORD)));
    await keepListings({ backfills: [RECORD] }, { calendar, runtime });

    const { history, watermarks } = stored(runtime);
    expect(history.lists.map(({ date }) => date)).toEqual([MONDAY, TUESDAY, WEDNESDAY, FRIDAY]);
    expect(history.bySymbol.get("AAA")?.map(({ names }) => names)).toEqual([
      [
        { name: "ALPHA LIMITED", from: MONDAY },
        { name: "AZURE GOLD LIMITED", from: TUESDAY },
      ],
    ]);
    expect(history.bySymbol.get("ETF")?.map(nameOf)).toEqual([""]);
    expect(watermarks.get("AAA")).toEqual({ firstBar: "2020-01-02", lastFinal: FRIDAY });
    expect(watermarks.get("CCC")).toEqual({ firstBar: MONDAY, lastFinal: FRIDAY });
    expect(Buffer.from(runtime.store.objects.get(listingsKey) ?? []).equals(await rebuilt(runtime))).toBe(true);
    expect(runtime.logs.filter((line) => line.startsWith("warn") && line.includes("listings"))).toEqual([]);
  });

  it("take in what a real backfill found", async () => {
    const bars = { AAA: { "2024-05-21": {}, "2024-05-22": {} }, BBB: {} };
    const { run, runtime } = setUp({ bars });
    await run(MONDAY);
    const { fetch } = sandboxFetch(createTinyMarket({ bars }), runtime.clock.now);
    await runBackfill({ span: { from: "2024-05-20", to: FRIDAY }, runtime: { ...runtime, fetch }, run: "backfill-1" });
    const { watermarks } = stored(runtime);
    expect(watermarks.get("AAA")).toEqual({ firstBar: "2024-05-21", lastFinal: FRIDAY });
    expect(watermarks.get("BBB")).toEqual({ firstBar: null, lastFinal: FRIDAY });
    expect(Buffer.from(runtime.store.objects.get(listingsKey) ?? []).equals(await rebuilt(runtime))).toBe(true);
  });

  it("cost a run one read of the file, two listings, two lists and one write", async () => {
    const runtime = createTestRuntime();
    for (const date of [MONDAY, TUESDAY, WEDNESDAY]) await storeList(runtime, date, { AAA: "ALPHA" });
    await keepListings({}, { calendar, runtime });
    await storeList(runtime, FRIDAY, { AAA: "ALPHA", BBB: "BRAVO" });
    runtime.store.calls.length = 0;
    const symbols = { total: 1, s3Key: symbolsKey(FRIDAY), source: SYMBOL_SOURCES.directory, warnings: [] };
    await keepListings({ backfills: [{ ...RECORD, symbols }] }, { calendar, runtime });
    expect(runtime.store.calls.filter((call) => !call.includes("runs/"))).toEqual([
      `read ${listingsKey}`,
      "list symbols/",
      `get ${symbolsKey(WEDNESDAY)}`,
      `get ${symbolsKey(FRIDAY)}`,
      "list backfills/",
      `replace ${listingsKey}`,
    ]);
  });

  it.each<[string, (runtime: TestRuntime) => Promise<void>]>([
    ["missing", async ({ store }) => void store.objects.delete(listingsKey)],
    ["damaged", ({ store }) => store.put(listingsKey, new TextEncoder().encode("{"))],
    ["of another version", ({ store }) => store.put(listingsKey, new TextEncoder().encode('{"version":2}'))],
    ["behind in the middle", (runtime) => storeList(runtime, TUESDAY, { AAA: "ALPHA", TUE: "TUESDAY" })],
    ["behind at the end", (runtime) => storeList(runtime, FRIDAY, { FRI: "FRIDAY" })],
    ["ahead of its lists", async ({ store }) => void store.objects.delete(symbolsKey(WEDNESDAY))],
  ])("are made anew where the file is %s", async (_case, change) => {
    const runtime = createTestRuntime();
    await storeList(runtime, MONDAY, { AAA: "ALPHA", BBB: "BRAVO" });
    await storeList(runtime, WEDNESDAY, { AAA: "AZURE" });
    await keepListings({}, { calendar, runtime });
    await change(runtime);
    await keepListings({}, { calendar, runtime });
    expect(encodeListings(stored(runtime))).toEqual(await rebuilt(runtime));
  });

  it("are the same in whatever order lists are stored, and stored again", async () => {
    const days = [MONDAY, TUESDAY, WEDNESDAY, FRIDAY];
    const names = fc.dictionary(fc.constantFrom("AAA", "BBB"), fc.constantFrom("ALPHA", "BRAVO", ""), {
      noNullPrototype: true,
    });
    const writes = fc.array(fc.record({ date: fc.constantFrom(...days), names }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        const runtime = createTestRuntime();
        for (const { date, names } of all) {
          await storeList(runtime, date, names);
          const symbols = { total: 1, s3Key: symbolsKey(date), source: SYMBOL_SOURCES.directory, warnings: [] };
          await keepListings({ backfills: [{ ...RECORD, outcomes: [], symbols }] }, { calendar, runtime });
        }
        expect(encodeListings(stored(runtime))).toEqual(await rebuilt(runtime));
      }),
      { numRuns: 60 },
    );
  });

  it("leave a damaged list out, and take it in when it was stored anew", async () => {
    const runtime = createTestRuntime();
    await storeList(runtime, MONDAY, { AAA: "ALPHA" });
    await runtime.store.put(symbolsKey(TUESDAY), new TextEncoder().encode("symbol\nAAA\n"));
    await storeList(runtime, WEDNESDAY, { AAA: "ALPHA" });
    await keepListings({}, { calendar, runtime });
    expect(stored(runtime)).toMatchObject({ unreadable: [{ date: TUESDAY }], history: { lists: [{}, {}] } });
    expect(runtime.logs).toEqual([expect.stringContaining(`warn ${symbolsKey(TUESDAY)} is no symbols CSV`)]);
    runtime.store.calls.length = 0;
    await keepListings({}, { calendar, runtime });
    expect(runtime.store.calls).toEqual([
      `read ${listingsKey}`,
      "list symbols/",
      `get ${symbolsKey(WEDNESDAY)}`,
      "list backfills/",
    ]);

    await storeList(runtime, TUESDAY, { AAA: "ALPHA" });
    const symbols = { total: 1, s3Key: symbolsKey(TUESDAY), source: SYMBOL_SOURCES.directory, warnings: [] };
    await keepListings({ backfills: [{ ...RECORD, symbols }] }, { calendar, runtime });
    expect(stored(runtime)).toMatchObject({ unreadable: [], history: { lists: [{}, {}, {}] } });
  });

  it.each<[string, (runtime: TestRuntime) => Promise<void>]>([
    ["a backfill", storeRecord],
    [
      "what a backfill added",
      async (runtime) => {
        await storeRecord(runtime);
        await keepListings({ backfills: [RECORD] }, { calendar, runtime });
        await storeRecord(runtime, {
          outcomes: RECORD.outcomes.flatMap((known) => [known, { ...known, symbol: "BBB" }]),
        });
      },
    ],
    ["that the newest list was stored anew", (runtime) => storeList(runtime, TUESDAY, { AAA: "ALPHA", NEW: "NEW" })],
    [
      "a list and its run",
      async (runtime) => {
        await storeList(runtime, WEDNESDAY, { AAA: "ALPHA", NEW: "NEW" });
        await storeSummary(runtime.store, WEDNESDAY, [fetchedReport("AAA"), fetchedReport("NEW")]);
      },
    ],
  ])("make up with the next run for %s that was not kept", async (_case, change) => {
    const runtime = createTestRuntime();
    await storeList(runtime, MONDAY, { AAA: "ALPHA" });
    await storeList(runtime, TUESDAY, { AAA: "ALPHA" });
    await keepListings({}, { calendar, runtime });
    await change(runtime);
    await storeList(runtime, FRIDAY, { AAA: "ALPHA" });
    const run = await storeSummary(runtime.store, FRIDAY, [fetchedReport("AAA")]);
    await keepListings({ runs: [run] }, { calendar, runtime });
    expect(encodeListings(stored(runtime))).toEqual(await rebuilt(runtime));
  });

  it("leave a damaged run summary out", async () => {
    const runtime = createTestRuntime();
    await storeList(runtime, MONDAY, { AAA: "ALPHA" });
    await runtime.store.put(runKey(MONDAY), new TextEncoder().encode("{}"));
    await keepListings({ backfills: [RECORD] }, { calendar, runtime });
    expect(stored(runtime).history.lists).toHaveLength(1);
    expect(runtime.logs).toEqual([expect.stringMatching(/^warn runs\/2024-05-27.json is damaged.*without it$/)]);
  });

  it("take in what another writer stored meanwhile", async () => {
    const runtime = createTestRuntime();
    await storeList(runtime, MONDAY, { AAA: "ALPHA" });
    let conflicts = 0;
    const store: TestRuntime["store"] = {
      ...runtime.store,
      async replace(key, bytes, version) {
        if (conflicts++ === 0) await keepListings({ backfills: [RECORD] }, { calendar, runtime });
        return runtime.store.replace(key, bytes, version);
      },
    };
    await storeList(runtime, TUESDAY, { AAA: "ALPHA" });
    await runtime.store.put(backfillKey(RECORD), new TextEncoder().encode(JSON.stringify(RECORD)));
    await keepListings({}, { calendar, runtime: { ...runtime, store } });
    expect(encodeListings(stored(runtime))).toEqual(await rebuilt(runtime));
    expect(runtime.logs).toEqual([]);
  });

  it.each([new StoreConflictError("another was first"), new StoreUnavailableError("no answer")])(
    "that cannot be written are logged, and no error: %s",
    async (error) => {
      const runtime = createTestRuntime();
      const store: TestRuntime["store"] = { ...runtime.store, replace: () => Promise.reject(error) };
      await keepListings({}, { calendar, runtime: { ...runtime, store } });
      expect(runtime.logs).toEqual([
        `warn memory:${listingsKey} is not up to date: ${error.message}; the next run makes up for it, but for days that were run again: asx listings --rebuild takes in all`,
      ]);
    },
  );
});
