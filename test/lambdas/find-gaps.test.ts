/** Which trading days are not whole, and what they are known to lack. */
import { beforeEach, describe, expect, it } from "vitest";
import { type BackfillRecord, backfillRecord } from "../../domain/backfill.ts";
import { countOutcomes, type SymbolReport } from "../../domain/batch.ts";
import { backfillKey, historyKey, rawDataKey, runKey, symbolsKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { datesToFill, findGaps } from "../../lambdas/symbol-updater/find-gaps.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { sha256 } from "../../stores/sha256.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { runBackfill } from "../support/backfill-rounds.ts";
import { putBackfill } from "../support/history-store.ts";
import { createMemoryStore, type MemoryStore } from "../support/memory-store.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { plainBar, storeFile } from "../support/test-fetcher.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const SPAN = { from: "2024-05-01", to: DAY };
const FAILED: SymbolReport = { symbol: "CBA", outcome: "failed", reason: "HTTP 503" };

let store: MemoryStore;
beforeEach(() => {
  store = createMemoryStore();
});

/** Stores a day of BHP and CBA as a run does: the file, and the summary that names it. */
async function storeDay(date: string, cba: SymbolReport = fetchedReport("CBA")): Promise<void> {
  const isFetched = cba.outcome === "fetched";
  const bars = ["BHP", ...(isFetched ? ["CBA"] : [])].map((symbol) => plainBar(symbol, date));
  await storeFile({ store }, { date }, bars, isFetched ? [] : [cba]);
  const key = rawDataKey({ date, batchNumber: 0 });
  const bytes = store.objects.get(key) ?? new Uint8Array();
  const file = { batchNumber: 0, key, rows: bars.length, bytes: bytes.length, sha256: sha256(bytes), durationMs: 1 };
  const isUnfinished = cba.outcome === "failed" || cba.outcome === "deferred";
  await storeSummary(store, date, [fetchedReport("BHP"), cba], {
    batches: [file],
    ...(isUnfinished && { status: "partial" }),
  });
}

async function storeList(date: string, ...symbols: string[]): Promise<void> {
  const listings = symbols.map((symbol) => ({
    symbol,
    name: "",
    industryGroup: "",
    listingDate: null,
    marketCap: null,
  }));
  await store.put(symbolsKey(date), encodeSymbolsCsv(listings));
}

async function storeBackfill(outcomes: readonly SymbolReport[], values: Partial<BackfillRecord> = {}): Promise<void> {
  const record = backfillRecord.parse({
    version: 1,
    from: "2024-05-01",
    to: DAY,
    status: "complete",
    startedAt: "2024-06-03T00:00:00.000Z",
    finishedAt: "2024-06-03T01:00:00.000Z",
    source: "stand-in",
    symbols: { total: outcomes.length, s3Key: null, source: "asx-directory", warnings: [] },
    counts: countOutcomes(outcomes),
    rows: 0,
    leftOut: 0,
    days: { [DAY]: 1 },
    batches: [],
    outcomes: outcomes.map((report) => ({ ...report, bars: 0, first: null, last: null, leftOut: 0 })),
    ...values,
  });
  await store.put(backfillKey(record), new TextEncoder().encode(JSON.stringify(record)));
}

/** The gap of the day; undefined where the day is whole. */
async function gap(): Promise<{ why: string; lacking: string[] } | undefined> {
  const { gaps } = await findGaps([DAY], store);
  const [found] = gaps;
  return found && { why: found.why, lacking: [...found.lacking].sort() };
}

describe("a trading day", () => {
  it("that is complete, with its files as the summary names them, is whole", async () => {
    await storeDay(DAY);
    expect(await findGaps([DAY], store)).toEqual({ gaps: [], warnings: [] });
  });

  it.each([
    ["on or before it", "2024-05-30"],
    ["after it, where none is older", "2024-06-03"],
  ])("without a summary lacks the symbols of the newest list %s", async (_, listed) => {
    await storeList("2024-05-29", "OLD");
    if (listed > DAY) store.objects.delete(symbolsKey("2024-05-29"));
    await storeList(listed, "BHP", "GON");
    await storeList("2024-06-04", "BHP", "NEW");
    expect(await gap()).toEqual({ why: "it has no run summary", lacking: ["BHP", "GON"] });
  });

  it("without a summary lacks nothing that its files have an outcome of", async () => {
    await storeDay(DAY);
    store.objects.delete(runKey(DAY));
    await storeList(DAY, "BHP", "CBA", "NAB");
    expect(await gap()).toMatchObject({ lacking: ["NAB"] });
  });

  it.each<SymbolReport>([FAILED, { symbol: "CBA", outcome: "deferred" }])(
    "lacks a symbol that is $outcome",
    async (report) => {
      await storeDay(DAY, report);
      expect(await gap()).toEqual({ why: "it is partial", lacking: ["CBA"] });
    },
  );

  it("lacks the symbols of a file that is missing", async () => {
    await storeDay(DAY);
    store.objects.delete(rawDataKey({ date: DAY, batchNumber: 0 }));
    expect(await gap()).toEqual({ why: "1 of its files are missing or changed", lacking: ["BHP", "CBA"] });
  });

  it("lacks what a file no longer holds that is not the one its summary names", async () => {
    await storeDay(DAY);
    await storeFile({ store }, { date: DAY }, [plainBar("BHP", DAY)]);
    expect(await gap()).toMatchObject({ lacking: ["CBA"] });
  });

  it.each([
    ["file", rawDataKey({ date: DAY, batchNumber: 0 })],
    ["summary", runKey(DAY)],
  ])("of which the %s is damaged is not whole, and a warning names it", async (_, key) => {
    await storeDay(DAY);
    await store.put(key, new TextEncoder().encode("{"));
    const { gaps, warnings } = await findGaps(["2024-05-30", DAY], store);
    expect(gaps.map(({ date }) => date)).toEqual(["2024-05-30", DAY]);
    expect(warnings).toEqual([expect.stringContaining(`${key} is damaged`)]);
  });

  it("of which only named symbols were asked for is not whole", async () => {
    await storeSummary(store, DAY, [fetchedReport("BHP")], {
      symbols: {
        s3Key: null,
        source: "event",
        changes: { comparedTo: null, added: [], removed: [] },
        warnings: [],
        total: 1,
      },
    });
    expect(await gap()).toMatchObject({ why: "only symbols named by hand were asked for" });
  });
});

describe("a backfill over a day", () => {
  it("makes it whole without a summary, where it is complete and of the market", async () => {
    await storeBackfill([fetchedReport("BHP")]);
    expect(await gap()).toBeUndefined();
  });

  it.each<[string, Partial<BackfillRecord>]>([
    ["is partial", { status: "partial" }],
    ["has no bar of it", { days: { "2024-05-30": 1 } }],
    ["ends before it", { to: "2024-05-30" }],
    ["begins after it", { from: "2024-06-01", to: "2024-06-03" }],
    ["is of symbols named by hand", { symbols: { total: 1, s3Key: null, source: "event", warnings: [] } }],
  ])("does not where it %s", async (_, values) => {
    await storeBackfill([fetchedReport("BHP")], values);
    expect(await gap()).toMatchObject({ why: "it has no run summary" });
  });

  it.each<[string, SymbolReport, Partial<BackfillRecord>, boolean]>([
    ["settles a symbol that a run left", { symbol: "CBA", outcome: "noTrade" }, {}, true],
    ["does not settle one of which it knows nothing", fetchedReport("BHP"), {}, false],
    ["does not settle one that it left too", FAILED, {}, false],
    ["settles nothing that a later run left", fetchedReport("CBA"), { finishedAt: `${DAY}T09:39:59.000Z` }, false],
  ])("%s", async (_, report, values, isWhole) => {
    await storeDay(DAY, FAILED);
    await storeBackfill([report], values);
    expect((await gap()) === undefined).toBe(isWhole);
  });

  it.each<[string, () => void]>([
    ["missing", () => store.objects.delete(historyKey({ ...SPAN, batchNumber: 1 }))],
    ["cut short", () => store.objects.set(historyKey({ ...SPAN, batchNumber: 1 }), new Uint8Array(3))],
  ])("makes no day whole while a file of it is %s, and says what mends it", async (_, damage) => {
    await storeDay("2024-05-30", FAILED);
    await putBackfill(store, { span: SPAN, batches: [[plainBar("BHP", DAY)], [plainBar("CBA", DAY)]] });
    expect((await findGaps(["2024-05-30", DAY], store)).gaps).toEqual([]);
    damage();
    const { gaps, warnings } = await findGaps(["2024-05-30", DAY], store);
    expect(gaps.map(({ date, why }) => `${date}: ${why}`)).toEqual([
      "2024-05-30: it is partial",
      `${DAY}: it has no run summary`,
    ]);
    expect(warnings).toEqual([
      `1 of the 2 files of the backfill from 2024-05-01 to ${DAY} are missing or of another size, such as history/2024-05-01_${DAY}-batch-1.parquet: its days are not whole until it is run again, asx backfill --from 2024-05-01 --to ${DAY}`,
    ]);
  });

  it("mends a day that a gate refused with bars that are newer than the run, and not by being run again", async () => {
    const clock = createSimulatedClock(Date.parse(EVENING));
    const { fetch, paths } = sandboxFetch(createTinyMarket({ bars: { BHP: { [DAY]: {} }, CBA: {} } }), clock.now);
    const runtime = createSimulatedRuntime({ clock, fetch, store });
    const run = (): Promise<unknown> =>
      clock.run(() => runBackfill({ span: SPAN, runtime, run: `run-${paths.length}` }));
    await run();
    const refused = { status: "failed", finishedAt: "2024-05-31T13:00:00.000Z" } as const;
    await storeSummary(store, DAY, [fetchedReport("BHP"), fetchedReport("CBA")], refused);
    expect(await gap()).toMatchObject({ why: "it is failed" });
    await clock.run(() => clock.sleep(86_400_000));
    const asked = paths.length;
    await run();
    expect(paths.slice(asked).filter((path) => path.includes("chart"))).toEqual([]);
    expect(await gap()).toMatchObject({ why: "it is failed" });
    await storeBackfill([fetchedReport("BHP"), fetchedReport("CBA")], { from: "2024-05-30", days: {} });
    expect(await gap()).toMatchObject({ why: "it is failed" });
    await storeBackfill([fetchedReport("BHP"), fetchedReport("CBA")], { from: "2024-05-30", days: { [DAY]: 2 } });
    expect(await gap()).toBeUndefined();
  });

  it("that is damaged is told, and the rest is looked at", async () => {
    await storeDay(DAY);
    const key = backfillKey({ from: "2024-05-01", to: DAY });
    await store.put(key, new TextEncoder().encode("{"));
    expect(await findGaps([DAY], store)).toEqual({
      gaps: [],
      warnings: [expect.stringContaining(`${key} is damaged`)],
    });
  });
});

describe("looking for gaps", () => {
  it("tells the first ten of many damaged files, and how many more there are", async () => {
    const dates = createTradingCalendar().tradingDays("2024-05-13", DAY);
    for (const date of dates) await store.put(runKey(date), new TextEncoder().encode("{"));
    const { warnings } = await findGaps(dates, store);
    expect(warnings).toHaveLength(11);
    expect(warnings.at(-1)).toBe("5 more files are damaged");
  });

  it("reads each file of whole days once, and nothing else but the lists of keys", async () => {
    for (const date of ["2024-05-30", DAY]) await storeDay(date);
    store.calls.length = 0;
    await findGaps(["2024-05-30", DAY], store);
    expect(store.calls.sort()).toEqual(
      [
        "list backfills/",
        "list symbols/",
        ...["2024-05-30", DAY].flatMap((date) => [`get ${runKey(date)}`, `get raw-data/${date}-batch-0.parquet`]),
      ].sort(),
    );
  });

  it.each([
    [1, [DAY]],
    [5, ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY]],
  ])("over %i days counts the date itself", (days, dates) => {
    expect(datesToFill(DAY, days, createTradingCalendar())).toEqual(dates);
  });

  it("over 90 days has fewer than the 70 sessions that a batch is given", () => {
    expect(datesToFill("2023-12-22", 90, createTradingCalendar()).length).toBeLessThan(66);
  });
});
