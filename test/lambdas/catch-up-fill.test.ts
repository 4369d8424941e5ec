/** Batches of a run that fills sessions which are not whole. */
import { describe, expect, it } from "vitest";
import type { SymbolReport } from "../../domain/batch.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import {
  createTestFetcher,
  plainBar,
  revisionsOf,
  storeFile,
  type TestFetcher,
  withoutData,
} from "../support/test-fetcher.ts";

const WEEK = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31"];
const [FIRST = "", , , BEFORE = "", DAY = ""] = WEEK;
const WHOLE_WEEK = Object.fromEntries(WEEK.map((date) => [date, {}]));
const FILL = { batchNumber: 0, date: DAY, sessions: [FIRST, BEFORE, DAY], fill: { listedBatches: 1 } };
const FAILED: SymbolReport = { symbol: "CBA", outcome: "failed", reason: "HTTP 503" };

/** Stores a day of BHP, CBA and NAB, of which CBA can be unfinished. */
async function storeDay({ runtime }: TestFetcher, date: string, cba = fetchedReport("CBA")): Promise<void> {
  const reports = ["BHP", "NAB"].map(fetchedReport);
  await storeSummary(runtime.store, date, [...reports, cba]);
  const isFetched = cba.outcome === "fetched";
  const bars = ["BHP", "NAB", ...(isFetched ? ["CBA"] : [])].map((symbol) => plainBar(symbol, date));
  await storeFile(runtime, { date }, bars, isFetched ? [] : [cba]);
}

/** A fetcher of three symbols over a week that is stored, but for CBA on the first day. */
async function createFetcher(): Promise<TestFetcher> {
  const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK, CBA: WHOLE_WEEK, NAB: WHOLE_WEEK } });
  for (const date of WEEK) await storeDay(fetcher, date, date === FIRST ? FAILED : undefined);
  return fetcher;
}

describe("a batch that fills", () => {
  it("asks for the symbols that lack something alone, and reports the others as they are stored", async () => {
    const fetcher = await createFetcher();
    const result = await fetcher.fetch({ ...FILL, symbols: ["BHP", "CBA", "NAB"] });
    expect(fetcher.paths).toEqual(["/v8/finance/chart/CBA.AX"]);
    expect(result).toMatchObject({ counts: { fetched: 3 }, earlier: [{ date: FIRST, added: 1, revised: 0 }] });
    expect((await fetcher.stored(FIRST)).reports).toEqual([]);
  });

  it("asks for nothing where nothing is lacking", async () => {
    const fetcher = await createFetcher();
    await fetcher.fetch({ ...FILL, sessions: [BEFORE, DAY], symbols: ["BHP", "CBA", "NAB"] });
    expect(fetcher.paths).toEqual([]);
  });

  it("that catches up too takes over what has changed in the last five sessions, and leaves stored bars before", async () => {
    const older = "2024-05-23";
    const fetcher = createTestFetcher({
      bars: {
        BHP: { ...WHOLE_WEEK, [older]: { close: 10.75 }, [BEFORE]: { close: 10.75 } },
        CBA: WHOLE_WEEK,
        NAB: WHOLE_WEEK,
      },
    });
    for (const date of [older, ...WEEK]) await storeDay(fetcher, date, date === older ? FAILED : undefined);
    const event = { ...FILL, sessions: [older, ...WEEK], catchUp: true, symbols: ["BHP", "CBA", "NAB"] };
    const result = await fetcher.fetch(event);
    expect(fetcher.paths).toHaveLength(3);
    expect(result.earlier).toEqual([{ date: BEFORE, added: 0, revised: 1 }]);
    expect(revisionsOf(fetcher, older)).toEqual([]);
    expect((await fetcher.stored(older)).reports).toEqual([{ symbol: "CBA", outcome: "noTrade" }]);
  });

  it("asks for symbols that the list has no more where they are lacking, and not on the run's own date", async () => {
    const fetcher = await createFetcher();
    const result = await fetcher.fetch({ ...FILL, batchNumber: 1, symbols: ["CBA"] });
    expect(fetcher.paths).toEqual(["/v8/finance/chart/CBA.AX"]);
    expect(result).toMatchObject({ rows: 0, counts: { fetched: 1 }, earlier: [{ date: FIRST, added: 1 }] });

    const leaver = createTestFetcher({ bars: { BHP: WHOLE_WEEK, OLD: { [FIRST]: {} } } });
    await storeFile(leaver.runtime, { date: DAY }, [plainBar("BHP", DAY)]);
    expect(await leaver.fetch({ ...FILL, batchNumber: 1, symbols: ["OLD"] })).toMatchObject({
      rows: 0,
      counts: { fetched: 0, noTrade: 0, notFound: 0 },
      earlier: [{ date: FIRST, added: 1 }],
    });
    expect((await leaver.stored(BEFORE, 1)).reports).toEqual([{ symbol: "OLD", outcome: "noTrade" }]);
    expect((await leaver.stored(DAY, 1)).reports).toEqual([]);
  });

  it("believes that symbols which have left the list are unknown to the provider", async () => {
    const gone = ["OL1", "OL2", "OL3"];
    const tickers = gone.map((symbol) => `${symbol}.AX`);
    const fetcher = createTestFetcher({ bars: {} }, withoutData(404, ...tickers));
    await storeSummary(fetcher.runtime.store, BEFORE, gone.map(fetchedReport));
    const result = await fetcher.fetch({ ...FILL, sessions: [FIRST, DAY], batchNumber: 1, symbols: gone });
    expect(result.stopped).toBeNull();
    expect((await fetcher.stored(FIRST, 1)).reports.map(({ outcome }) => outcome)).toEqual(Array(3).fill("notFound"));
  });

  it.each([FIRST, DAY])("fetches anew what a damaged file of %s held, and says that it was damaged", async (date) => {
    const fetcher = await createFetcher();
    const key = `raw-data/${date}-batch-0.parquet`;
    await fetcher.runtime.store.put(key, new TextEncoder().encode("{"));
    const result = await fetcher.fetch({ ...FILL, symbols: ["BHP", "CBA", "NAB"] });
    expect(fetcher.paths).toHaveLength(3);
    expect(result.counts).toMatchObject({ fetched: 3 });
    expect((await fetcher.stored(date)).bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA", "NAB"]);
    expect(fetcher.runtime.logs).toContainEqual(expect.stringMatching(`^error ${key} is damaged .* is fetched again`));
  });

  it("mends a damaged file of another batch too: no symbol of it is counted as stored", async () => {
    const fetcher = await createFetcher();
    await fetcher.runtime.store.put(`raw-data/${FIRST}-batch-7.parquet`, new TextEncoder().encode("{"));
    await fetcher.fetch({ ...FILL, symbols: ["BHP"] });
    expect(await fetcher.stored(FIRST, 7)).toMatchObject({ bars: [], reports: [] });
  });

  it("doubts no outcome of a symbol on a day that others have bars of", async () => {
    const fetcher = await createFetcher();
    await storeSummary(fetcher.runtime.store, FIRST, [fetchedReport("BHP"), { symbol: "NOT", outcome: "noTrade" }]);
    await storeFile(
      fetcher.runtime,
      { date: FIRST },
      [plainBar("BHP", FIRST)],
      [{ symbol: "NOT", outcome: "noTrade" }],
    );
    await fetcher.fetch({ ...FILL, batchNumber: 1, symbols: ["NOT"] });
    expect(fetcher.paths).toEqual([]);
  });

  it("asks again over a day without any bar, which tells of an outage", async () => {
    const fetcher = createTestFetcher({ bars: { BHP: WHOLE_WEEK } });
    await storeSummary(fetcher.runtime.store, FIRST, [{ symbol: "BHP", outcome: "noTrade" }], { status: "failed" });
    await storeFile(fetcher.runtime, { date: FIRST }, [], [{ symbol: "BHP", outcome: "noTrade" }]);
    await fetcher.fetch({ ...FILL, sessions: [FIRST, DAY], symbols: ["BHP"] });
    expect((await fetcher.stored(FIRST)).bars).toHaveLength(1);
  });

  it("names four sessions that it added to, and counts more together", async () => {
    const sessions = ["2024-05-22", "2024-05-23", "2024-05-24", ...WEEK];
    const bars = { BHP: Object.fromEntries(sessions.map((date) => [date, {}])) };
    const result = await createTestFetcher({ bars }).fetch({ ...FILL, sessions, symbols: ["BHP"] });
    expect(result).toMatchObject({ earlier: [], filled: { sessions: 7, added: 7, revised: 0 } });
    const few = await createTestFetcher({ bars }).fetch({ ...FILL, sessions: WEEK, symbols: ["BHP"] });
    expect(few.earlier.map(({ date }) => date)).toEqual(WEEK.slice(0, 4));
    expect(few).not.toHaveProperty("filled");
  });
});
