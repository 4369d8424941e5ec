/** What a batch that catches up could not read again, and what it asks for in the later rounds of its run. */
import { describe, expect, it } from "vitest";
import { type BatchEvent, NOTHING_ASKED, type SymbolReport, type WorkflowRun } from "../../domain/batch.ts";
import { takeRunLocks } from "../../lambdas/runtime/run-lock.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { createTestFetcher, failing, plainBar, storeFile, type TestFetcher } from "../support/test-fetcher.ts";

const SESSIONS = ["2024-05-30", "2024-05-31"];
const [BEFORE = "", DAY = ""] = SESSIONS;
const EVENT: BatchEvent = { batchNumber: 0, date: DAY, sessions: SESSIONS, catchUp: true };
const FIRST: WorkflowRun = { id: "run", attempt: 1, upstream: NOTHING_ASKED };
const SECOND: WorkflowRun = { ...FIRST, attempt: 2 };
const BOTH_DAYS = { [BEFORE]: {}, [DAY]: {} };
const FAILED: SymbolReport = { symbol: "CBA", outcome: "failed", reason: "HTTP 503 after 5 attempts" };

/** A market of four symbols, and the run's locks. */
async function setUp(...rest: Parameters<typeof createTestFetcher> extends [unknown, ...infer Rest] ? Rest : never) {
  const market = { bars: { BHP: BOTH_DAYS, CBA: BOTH_DAYS, NAB: BOTH_DAYS, NEW: BOTH_DAYS } };
  const fetcher = createTestFetcher(market, ...rest);
  const { store, clock } = fetcher.runtime;
  await takeRunLocks(store, SESSIONS, { run: "run" }, { clock, expiresAfterMs: 1_800_000 });
  return fetcher;
}

/** Stores plain bars of symbols on both days, or on one. */
async function storeBars({ runtime }: TestFetcher, symbols: readonly string[], dates = SESSIONS): Promise<void> {
  for (const date of dates) {
    const bars = symbols.map((symbol) => plainBar(symbol, date));
    await storeFile(runtime, { date }, bars);
  }
}

function chartsOf(...symbols: string[]): string[] {
  return symbols.map((symbol) => `/v8/finance/chart/${symbol}.AX`);
}

describe("symbols that a batch could not read again", () => {
  it("are counted where they have an outcome that stands, which they keep", async () => {
    const fetcher = await setUp(failing(503, "BHP.AX", "CBA.AX"));
    for (const date of SESSIONS) {
      await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)], [{ symbol: "CBA", outcome: "noTrade" }]);
    }
    const result = await fetcher.fetch({ ...EVENT, symbols: ["BHP", "CBA", "NAB"] });
    expect(result).toMatchObject({ unread: 2, counts: { fetched: 2, noTrade: 1, failed: 0 }, unfinished: [] });
  });

  it("are all of them where the upstream blocks us: the day stays as it is", async () => {
    const fetcher = await setUp(failing(403));
    await storeBars(fetcher, ["BHP", "CBA", "NAB"]);
    const before = [...fetcher.runtime.store.objects];
    const result = await fetcher.fetch({ ...EVENT, symbols: ["BHP", "CBA", "NAB"] });
    expect(result).toMatchObject({ unread: 3, counts: { fetched: 3 }, stopped: { by: "block" } });
    expect([...fetcher.runtime.store.objects]).toEqual(before);
  });

  it("are none that never had an outcome: those are unfinished", async () => {
    const fetcher = await setUp(failing(503, "CBA.AX"));
    for (const date of SESSIONS) await storeFile(fetcher.runtime, { date }, [plainBar("BHP", date)], [FAILED]);
    const result = await fetcher.fetch({ ...EVENT, symbols: ["BHP", "CBA"] });
    expect(result).toMatchObject({ unread: 0, counts: { fetched: 1, failed: 1 } });
  });

  it("are none in a batch that does not catch up: it asks for no such symbol", async () => {
    const fetcher = await setUp(failing(503, "BHP.AX"));
    await storeBars(fetcher, ["BHP"]);
    const result = await fetcher.fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result).toMatchObject({ unread: 0, counts: { fetched: 2 } });
    expect(fetcher.paths).toEqual(chartsOf("CBA"));
  });
});

describe("a batch of a run that catches up", () => {
  it("asks in its first round for every symbol, whatever is stored", async () => {
    const fetcher = await setUp();
    await storeBars(fetcher, ["BHP", "CBA"]);
    await fetcher.fetch({ ...EVENT, symbols: ["BHP", "CBA"], run: FIRST });
    expect(fetcher.paths).toEqual(chartsOf("BHP", "CBA"));
  });

  it("asks later only for what is unfinished in any of the sessions", async () => {
    const fetcher = await setUp();
    await storeFile(fetcher.runtime, { date: BEFORE }, [plainBar("BHP", BEFORE), plainBar("NAB", BEFORE)], [FAILED]);
    await storeBars(fetcher, ["BHP", "NAB", "CBA"], [DAY]);
    const result = await fetcher.fetch({ ...EVENT, symbols: ["BHP", "CBA", "NAB"], run: SECOND });
    expect(fetcher.paths).toEqual(chartsOf("CBA"));
    expect(result.earlier).toEqual([{ date: BEFORE, added: 1, revised: 0 }]);
    expect(result.counts).toMatchObject({ fetched: 3 });
  });

  it("asks later for no symbol that only lacks an outcome on a day when it was not listed yet", async () => {
    const fetcher = await setUp();
    await storeSummary(fetcher.runtime.store, BEFORE, [fetchedReport("BHP")]);
    await storeBars(fetcher, ["BHP"], [BEFORE]);
    await storeBars(fetcher, ["BHP", "NEW"], [DAY]);
    await fetcher.fetch({ ...EVENT, symbols: ["BHP", "NEW"], run: SECOND });
    expect(fetcher.paths).toEqual([]);
  });

  it.each([
    ["for every symbol again where the round before could not read some of its own", [4, 0], ["BHP", "CBA"]],
    ["for what is unfinished where that was another batch", [4], []],
  ])("asks later %s", async (_, unread, asked) => {
    const fetcher = await setUp();
    await storeBars(fetcher, ["BHP", "CBA"]);
    const run = { ...SECOND, unread };
    expect(await fetcher.fetch({ ...EVENT, symbols: ["BHP", "CBA"], run })).toMatchObject({ unread: 0 });
    expect(fetcher.paths).toEqual(chartsOf(...asked));
  });
});
