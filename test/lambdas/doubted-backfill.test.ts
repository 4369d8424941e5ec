import { describe, expect, it } from "vitest";
import type { BackfillPlan } from "../../domain/backfill.ts";
import { findGaps } from "../../lambdas/symbol-updater/find-gaps.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { type BackfillRounds, runBackfill } from "../support/backfill-rounds.ts";
import { recordOf } from "../support/history-contents.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { failing } from "../support/test-fetcher.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch } from "../support/tiny-market.ts";

const SPAN = { from: "2024-05-13", to: "2024-05-31" };
const HOUR_MS = 3_600_000;
const NAMES = Array.from({ length: 40 }, (_, index) => `S${String(index).padStart(2, "0")}`);

/** A run, with what its provider is like. */
interface RunWorld extends Partial<BackfillRounds> {
  readonly without?: readonly string[];
  readonly empty?: readonly string[];
  readonly delivery?: Delivery;
}

/** Backfills of a market of forty symbols, in one store, each so many hours after the evening of the span's last date. */
function setUp(listed: readonly string[] = NAMES) {
  const store = createMemoryStore();
  /** Runs one; `without` are the symbols that the provider knows not, `empty` those that it has no rows of. */
  async function run(afterHours: number, { without = [], empty = [], delivery, ...rounds }: RunWorld = {}) {
    const clock = createSimulatedClock(Date.parse(EVENING) + afterHours * HOUR_MS);
    const header = '"ASX code","Company name","GICs industry group","Listing date","Market Cap"';
    const lines = listed.map((symbol) => `"${symbol}","${symbol} LIMITED","Materials","01/02/2003",1000`);
    const known = [...new Set([...NAMES, ...listed])].filter((symbol) => !without.includes(symbol));
    const bars = known.map((symbol) => [symbol, empty.includes(symbol) ? {} : { "2024-05-16": {}, "2024-05-31": {} }]);
    const market = createTinyMarket({ directory: [header, ...lines].join("\n"), bars: Object.fromEntries(bars) });
    const upstream = sandboxFetch(market, clock.now, delivery);
    const runtime = createSimulatedRuntime({ clock, fetch: upstream.fetch, store });
    const plans: BackfillPlan[] = [];
    const digest = await clock.run(() =>
      runBackfill({
        ...{ span: SPAN, runtime, run: `run-${afterHours}`, batchSize: 10, onPlan: (plan) => plans.push(plan) },
        ...rounds,
      }),
    );
    const asked = plans.map(({ symbolBatches }) => symbolBatches.flatMap(({ symbols }) => symbols).length);
    return { digest, asked, charts: upstream.paths.filter((path) => path.includes("chart")).length };
  }
  return { store, run, record: () => recordOf(store, SPAN) };
}

describe("answers without a bar, on a store without a run", () => {
  const half = NAMES.filter((_, index) => index % 2 === 1);

  it("of more than 35 % of the list are not believed, and are asked for again in every round and run", async () => {
    const { run, record, store } = setUp();
    const { digest, asked } = await run(0, { without: half });
    expect(asked).toEqual([40, 20, 20]);
    expect(digest).toMatchObject({ status: "partial", counts: { fetched: 20, notFound: 0, failed: 20 } });
    expect(digest.message).toContain("20 answers without a bar are not believed yet: run it again tomorrow");
    expect(record().outcomes.find(({ symbol }) => symbol === "S01")).toEqual({
      ...{ symbol: "S01", outcome: "failed", bars: 0, first: null, last: null, leftOut: 0 },
      reason:
        "the provider knows 20 of 40 symbols not: notFound is not believed yet; run the backfill again tomorrow, or now if the " +
        "provider has recovered; the same answer stands then from 20 hours later on",
      doubtedSince: expect.stringMatching(/^2024-05-31T09:30/),
    });
    expect((await findGaps(["2024-05-31"], store)).gaps).toHaveLength(1);

    expect(await run(2)).toMatchObject({ digest: { status: "complete" }, asked: [20], charts: 20 });
    expect(record()).toMatchObject({ status: "complete", rows: 80, counts: { fetched: 40 } });
    expect((await findGaps(["2024-05-31"], store)).gaps).toEqual([]);
  });

  it("stand where they are the same 20 hours after the first doubt, and name no further file", async () => {
    const { run, record } = setUp();
    await run(0, { without: half });
    const first = record().outcomes.find(({ doubtedSince }) => doubtedSince !== undefined)?.doubtedSince;
    const files = record().batches.length;
    expect((await run(19, { without: half })).digest.status).toBe("partial");
    expect(record().batches).toHaveLength(files);
    expect(record().outcomes.find(({ doubtedSince }) => doubtedSince !== undefined)?.doubtedSince).toBe(first);
    expect(await run(21, { without: half })).toMatchObject({ digest: { status: "complete" }, asked: [20] });
    expect(record()).toMatchObject({ counts: { fetched: 20, notFound: 20, failed: 0 } });
    expect(record().outcomes.some(({ doubtedSince }) => doubtedSince !== undefined)).toBe(false);
    const whole = record();
    expect(await run(23, { without: half })).toMatchObject({ digest: { status: "complete" }, asked: [0], charts: 0 });
    expect(record()).toMatchObject({ batches: whole.batches, outcomes: whole.outcomes });
  });

  it("are doubted still where the symbols cannot be asked again, be it a day later", async () => {
    const { run, record } = setUp();
    const without = NAMES.slice(0, 20);
    await run(0, { without });
    const { digest } = await run(21, { without, delivery: failing(503) });
    expect(digest).toMatchObject({ status: "partial", counts: { fetched: 20, notFound: 0, failed: 20 } });
    expect(record().outcomes[0]).toMatchObject({ symbol: "S00", doubtedSince: expect.any(String) });
    expect((await run(23, { without })).digest).toMatchObject({ status: "complete", counts: { notFound: 20 } });
  });

  it("of a third of the list stand at once, be they a batch's all, and are never asked for again", async () => {
    const { run, record, store } = setUp();
    const without = NAMES.slice(10, 20);
    expect(await run(0, { without })).toMatchObject({ digest: { status: "complete", redrive: null }, asked: [40] });
    const { batches } = record();
    expect(await run(1, { without })).toMatchObject({ digest: { status: "complete" }, asked: [0], charts: 0 });
    expect(record().batches).toEqual(batches);
    expect((await findGaps(["2024-05-31"], store)).gaps).toEqual([]);
  });

  it("of a whole run without a single bar are not believed, whatever they say", async () => {
    const { run, record } = setUp();
    const [first, second, third, ...others] = NAMES;
    const { digest } = await run(0, { without: [first ?? "", second ?? "", third ?? ""], empty: others });
    expect(digest).toMatchObject({ status: "failed", counts: { fetched: 0, noTrade: 0, notFound: 0, failed: 40 } });
    expect(record().outcomes[0]?.reason).toContain("none of the 40 symbols asked for has a bar: notFound");
    expect(record()).toMatchObject({ batches: [], source: null });
    expect((await run(1)).digest.status).toBe("complete");
  });

  it("of two symbols stand at once, though a run asked for nothing else", async () => {
    const { run } = setUp(NAMES.slice(0, 2));
    expect((await run(0, { without: ["S00", "S01"] })).digest.counts).toMatchObject({ notFound: 2, failed: 0 });
  });
});

describe("answers without a bar, beside a day's run", () => {
  it("of symbols that had a bar in it are not believed where they are more than 5 %", async () => {
    const { run, store, record } = setUp();
    await storeSummary(store, "2024-05-31", NAMES.map(fetchedReport));
    const { digest } = await run(0, { without: ["S01"], empty: ["S02", "S33"] });
    expect(digest).toMatchObject({ status: "partial", counts: { fetched: 37, failed: 3 } });
    expect(record().outcomes[1]?.reason).toContain(
      "3 of 40 symbols that had a bar on 2024-05-31 have none now: notFound",
    );
    expect((await run(21, { without: ["S01"], empty: ["S02", "S33"] })).digest).toMatchObject({
      ...{ status: "complete", counts: { fetched: 37, notFound: 1, noTrade: 2 } },
    });
  });

  it("of symbols that had none in it stand, and of two that had one", async () => {
    const { run, store } = setUp();
    await storeSummary(store, "2024-05-31", NAMES.slice(0, 20).map(fetchedReport));
    const { digest } = await run(0, { without: ["S01", ...NAMES.slice(20)], empty: ["S02"] });
    expect(digest).toMatchObject({ status: "complete", counts: { fetched: 18, notFound: 21, noTrade: 1 } });
  });

  it("that are empty stand where the run's date is not in the span", async () => {
    const { run, store } = setUp();
    await storeSummary(store, "2024-05-31", NAMES.map(fetchedReport));
    const span = { from: SPAN.from, to: "2024-05-30" };
    const { digest } = await run(0, { span, empty: NAMES.slice(0, 5) });
    expect(digest).toMatchObject({ status: "complete", counts: { fetched: 35, noTrade: 5 } });
  });
});

describe("symbols that are asked for by name", () => {
  it("and are unknown, all of them, are believed: they say nothing of the provider", async () => {
    const { run } = setUp();
    const symbols = NAMES.slice(0, 5);
    expect((await run(0, { symbols, without: symbols })).digest.counts).toMatchObject({ notFound: 5, failed: 0 });
  });

  it("do not settle a doubt before its time", async () => {
    const { run, record } = setUp();
    const without = NAMES.slice(0, 20);
    await run(0, { without });
    expect((await run(2, { without, symbols: ["S00"] })).digest.status).toBe("partial");
    expect(record().outcomes[0]).toMatchObject({ symbol: "S00", outcome: "failed" });
    await run(21, { without, symbols: ["S00"] });
    expect(record().outcomes[0]).toMatchObject({ symbol: "S00", outcome: "notFound" });
  });
});
