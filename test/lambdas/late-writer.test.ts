import { expect, it } from "vitest";
import type { BackfillPlan, HistoryBatchResult } from "../../domain/backfill.ts";
import { NOTHING_ASKED, type WorkflowRun } from "../../domain/batch.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchHistory } from "../../lambdas/batch-fetcher/fetch-history.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { planBackfill } from "../../lambdas/symbol-updater/plan-backfill.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { runBackfill } from "../support/backfill-rounds.ts";
import { barsOfBackfill, recordOf } from "../support/history-contents.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const SPAN = { from: "2024-05-13", to: "2024-05-31" };
const NAME = "2024-05-13_2024-05-31";
const NAMES = Array.from({ length: 12 }, (_, index) => `S${String(index).padStart(2, "0")}`);
const FIRST: WorkflowRun = { id: "first", attempt: 1, upstream: NOTHING_ASKED };

it("a backfill that was taken over is whole, though the first run's file comes late and overlaps", async () => {
  const clock = createSimulatedClock(Date.parse(EVENING));
  const store = createMemoryStore();
  const header = '"ASX code","Company name","GICs industry group","Listing date","Market Cap"';
  const directory = [header, ...NAMES.map((name) => `"${name}","${name} LTD","Materials","01/02/2003",1000`)].join(
    "\n",
  );
  const bars = Object.fromEntries(NAMES.map((symbol) => [symbol, { "2024-05-16": {}, "2024-05-31": {} }]));
  const upstream = sandboxFetch(createTinyMarket({ directory, bars }), clock.now);
  const runtime = createSimulatedRuntime({ clock, fetch: upstream.fetch, store });
  const calendar = createTradingCalendar();
  const fetchOfFirst = (
    batch: BackfillPlan["symbolBatches"][number] | undefined,
    parts: Partial<typeof runtime>,
  ): Promise<HistoryBatchResult> => {
    const { fetch } = { ...runtime, ...parts };
    const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch, clock });
    const event = { backfill: SPAN, symbols: batch?.symbols ?? [], batchNumber: batch?.batchNumber ?? 0, run: FIRST };
    return fetchHistory(event, { source, calendar, requestsPerSecond: null, runtime: { ...runtime, ...parts } });
  };
  const plans: BackfillPlan[] = [];

  const late = await clock.run(async () => {
    await takeRunLock(store, NAME, { run: "first" }, { clock, expiresAfterMs: 60_000 });
    const config = parseSymbolUpdaterEnvironment({
      ASX_DIRECTORY_URL: "http://sandbox/asx-research/1.0/companies/directory/file",
      BATCH_SIZE: "4",
    });
    const { symbolBatches } = await planBackfill({ backfill: SPAN, run: FIRST }, { config, calendar, runtime });
    const failing: typeof runtime.fetch = async (url, init) =>
      String(url).includes("S01.AX") ? new Response("{}", { status: 503 }) : upstream.fetch(url, init);
    await fetchOfFirst(symbolBatches[0], { fetch: failing });
    await fetchOfFirst(symbolBatches[2], {});
    await takeRunLock(store, NAME, { run: "first" }, { clock, expiresAfterMs: 60_000 });
    // It has looked at its lock, and its machine sleeps right before the file is written.
    const asleep: typeof store = {
      ...store,
      replace: async (key, bytes, version) => {
        if (key.startsWith("history/")) await clock.sleep(405_000);
        return store.replace(key, bytes, version);
      },
    };
    const ofFirst = fetchOfFirst(symbolBatches[1], { store: asleep });
    await clock.sleep(400_000);
    const second = runBackfill({
      ...{ span: SPAN, run: "second", batchSize: 4, lanes: 1, onPlan: (plan: BackfillPlan) => plans.push(plan) },
      runtime: { ...runtime, fetch: slowly },
    });
    const [result] = await Promise.all([ofFirst, second]);
    return result;
  });
  /** The second run is in its first batch when the late file comes. */
  async function slowly(url: URL, init: RequestInit): Promise<Response> {
    if (url.pathname.includes("S01.AX")) await clock.sleep(8_000);
    return upstream.fetch(url, init);
  }

  expect(late).toMatchObject({ batchNumber: 1, rows: 8 });
  expect(plans.map(({ symbolBatches }) => symbolBatches)).toEqual([
    [
      { symbols: ["S01", "S04", "S05", "S06"], batchNumber: 3 },
      { symbols: ["S07"], batchNumber: 4 },
    ],
    [{ symbols: ["S01"], batchNumber: 5 }],
  ]);
  const { status, rows, batches } = recordOf(store, SPAN);
  expect({ status, rows, files: batches.map(({ batchNumber }) => batchNumber) }).toEqual({
    ...{ status: "complete", rows: 24, files: [0, 1, 2, 5] },
  });
  expect(await barsOfBackfill(store, SPAN)).toHaveLength(24);
});
