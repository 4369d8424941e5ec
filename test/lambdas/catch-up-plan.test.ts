/** What the symbol updater makes of days to fill. */
import { describe, expect, it } from "vitest";
import { type SymbolUpdate, type SymbolUpdaterEvent, symbolUpdate, symbolUpdaterEvent } from "../../domain/batch.ts";
import { RunUnderWayError } from "../../domain/errors.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { updateSymbols } from "../../lambdas/symbol-updater/update-symbols.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { plainBar, storeFile } from "../support/test-fetcher.ts";
import { createTestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const WEEK = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY];
const RUN = {
  id: "run",
  attempt: 1,
  upstream: { requests: 0, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 },
};

/** A store in which every day of the week is whole, with BHP and CBA, and a directory of BHP, CBA and NAB. */
async function setUp() {
  const lines = ["BHP", "CBA", "NAB"].map((symbol) => `${symbol},${symbol} LIMITED,Materials,01/02/2003,1000`);
  const directory = ["ASX code,Company name,GICs industry group,Listing date,Market Cap", ...lines].join("\n");
  const runtime = createTestRuntime({ fetch: async () => new Response(directory) });
  const config = parseSymbolUpdaterEnvironment({ ASX_DIRECTORY_URL: "https://current.test/file", BATCH_SIZE: "2" });
  const calendar = createTradingCalendar();
  for (const date of WEEK) await storeSummary(runtime.store, date, [fetchedReport("BHP"), fetchedReport("CBA")]);
  return {
    runtime,
    update: (event: SymbolUpdaterEvent): Promise<SymbolUpdate> =>
      updateSymbols({ date: DAY, ...event }, { config, calendar, runtime }),
  };
}

describe("a run that fills days", () => {
  it("of which all are whole asks for its own date alone", async () => {
    const { update } = await setUp();
    const result = await update({ fillDays: 5 });
    expect(result).toMatchObject({ sessions: [DAY], catchUp: false, fill: { listedBatches: 2 }, lanes: [[0], [1]] });
    expect(symbolUpdate.parse(result)).toEqual(result);
  });

  it("asks for the sessions that are not whole too, and with catching up for the last five besides", async () => {
    const { update, runtime } = await setUp();
    runtime.store.objects.delete(`runs/${WEEK[1]}.json`);
    expect((await update({ fillDays: 5 })).sessions).toEqual([WEEK[1], DAY]);
    expect((await update({ fillDays: 3 })).sessions).toEqual([DAY]);
    expect((await update({ fillDays: 8, catchUp: true })).sessions).toEqual(["2024-05-24", ...WEEK]);
  });

  it("puts what the list has no more, and a gap lacks, into batches of their own at the end", async () => {
    const { update, runtime } = await setUp();
    const gone = ["OL2", "OL1", "OL3"].map((symbol) => ({ symbol, outcome: "failed" as const }));
    const date = WEEK[2] ?? "";
    await storeSummary(runtime.store, date, [fetchedReport("BHP"), ...gone], { status: "partial" });
    await storeFile(runtime, { date }, [plainBar("BHP", date)]);
    const result = await update({ fillDays: 5 });
    expect(result).toMatchObject({
      sessions: [date, DAY],
      symbols: ["BHP", "CBA", "NAB"],
      symbolBatches: [
        { symbols: ["BHP", "CBA"], batchNumber: 0 },
        { symbols: ["NAB"], batchNumber: 1 },
        { symbols: ["OL1", "OL2"], batchNumber: 2 },
        { symbols: ["OL3"], batchNumber: 3 },
      ],
      lanes: [[0], [1], [2], [3]],
      fill: { listedBatches: 2 },
      metadata: { totalSymbols: 3, numBatches: 4 },
    });
    expect((await update({ fillDays: 5, symbols: ["BHP"] })).symbolBatches).toEqual([
      { symbols: ["BHP"], batchNumber: 0 },
    ]);
  });

  it("warns of what is damaged, and fills the rest", async () => {
    const { update, runtime } = await setUp();
    await runtime.store.put(`runs/${WEEK[0]}.json`, new TextEncoder().encode("{"));
    runtime.store.objects.delete(`runs/${WEEK[3]}.json`);
    const result = await update({ fillDays: 5 });
    expect(result.sessions).toEqual([WEEK[0], WEEK[3], DAY]);
    expect(result.metadata.warnings).toEqual([expect.stringContaining(`runs/${WEEK[0]}.json is damaged`)]);
  });

  it("takes the locks on all of its sessions, and leaves one to a run that has it", async () => {
    const { update, runtime } = await setUp();
    const [first = "", lost = "", , before = ""] = WEEK;
    runtime.store.objects.delete(`runs/${lost}.json`);
    await update({ fillDays: 5, run: RUN });
    const locks = [...runtime.store.objects.keys()].filter((key) => key.endsWith(".lock"));
    expect(locks.sort()).toEqual([`runs/${lost}.lock`, `runs/${DAY}.lock`]);
    runtime.store.objects.delete(`runs/${before}.json`);
    await takeRunLock(runtime.store, before, { run: "another" }, { clock: runtime.clock, expiresAfterMs: 60_000 });
    const { sessions, metadata } = await update({ fillDays: 5, run: RUN });
    expect(sessions).toEqual([lost, DAY]);
    expect(metadata.warnings).toEqual([
      expect.stringContaining(
        `${before} is left to the run that has it: ${before} is being run by the execution another`,
      ),
    ]);
    expect((await update({ fillDays: 5, catchUp: true, run: RUN })).sessions).toEqual([first, lost, WEEK[2], DAY]);
  });

  it("leaves all to a run that has its own date", async () => {
    const { update, runtime } = await setUp();
    runtime.store.objects.delete(`runs/${WEEK[1]}.json`);
    await takeRunLock(runtime.store, DAY, { run: "another" }, { clock: runtime.clock, expiresAfterMs: 60_000 });
    await expect(update({ fillDays: 5, run: RUN })).rejects.toThrow(RunUnderWayError);
    expect(runtime.store.objects.has(`runs/${WEEK[1]}.lock`)).toBe(false);
  });

  it("of a closed day fills nothing", async () => {
    const { update } = await setUp();
    expect(await update({ date: "2024-04-25", fillDays: 5 })).toMatchObject({ tradingDay: false, lanes: [] });
  });

  it.each([0, 91, 1.5, "30"])("is refused for %j days", (fillDays) => {
    expect(symbolUpdaterEvent.safeParse({ fillDays }).success).toBe(false);
  });
});
