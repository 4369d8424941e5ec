/** Batches that stop asking: the breaker, a block, healthy symbols that are suddenly unknown, a run taken over. */
import { describe, expect, it } from "vitest";
import { NOTHING_ASKED, type SymbolOutcome } from "../../domain/batch.ts";
import { RunUnderWayError } from "../../domain/errors.ts";
import { runLockKey } from "../../domain/object-keys.ts";
import { releaseRunLock, takeRunLock, takeRunLocks } from "../../lambdas/runtime/run-lock.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { createTestFetcher, failing, plainBar, storeFile } from "../support/test-fetcher.ts";

const DAY = "2024-05-31";
const BEFORE = "2024-05-30";
const KEY = "raw-data/2024-05-31-batch-0.parquet";
const MINUTE = 60_000;

const symbols = Array.from({ length: 100 }, (_, index) => `S${index + 100}`);
const bars = Object.fromEntries(symbols.map((symbol) => [symbol, { [DAY]: {} }]));

function tickerOf(symbol: string): string {
  return `${symbol}.AX`;
}

/** An upstream that fails all tickers but some, until it is mended. */
function downBut(status: number, ...tickers: string[]): { isDown: boolean; readonly delivery: Delivery } {
  const state = { isDown: true };
  const delivery: Delivery = async (answer, { ticker = "" }) =>
    state.isDown && !tickers.includes(ticker) ? { status, contentType: "text/plain", body: "" } : answer;
  return Object.assign(state, { delivery });
}

/** 404 in the chart's own words for some tickers; without any for all. */
function unknown(...tickers: string[]): Delivery {
  const body = JSON.stringify({ chart: { result: null, error: { code: "Not Found", description: "No data found" } } });
  return async (answer, { ticker = "" }) =>
    tickers.length === 0 || tickers.includes(ticker) ? { status: 404, contentType: "application/json", body } : answer;
}

describe("an upstream that gives one bad answer after the other", () => {
  it.each([503, 403])(
    "with HTTP %i is not asked on: the rest of the batch is deferred, and fetched by the next run",
    async (status) => {
      const upstream = downBut(status, "BHP.AX");
      const market = { bars: { BHP: { [DAY]: {} }, ...bars } };
      const { fetch, stored, paths, runtime } = createTestFetcher(market, upstream.delivery);
      const event = { symbols: ["BHP", ...symbols], batchNumber: 0, date: DAY };
      const first = await fetch(event);
      expect(first.counts.fetched).toBe(1);
      expect(first.counts.failed + first.counts.deferred).toBe(100);
      // Eight bad answers close the gate; three more requests can be under way by then.
      expect(paths.length).toBeLessThanOrEqual(1 + 8 + 3);
      expect(first.counts.failed).toBeLessThanOrEqual(8 + 3);
      const reason = `8 bad answers in a row, the last: HTTP ${status}`;
      expect(first.stopped).toEqual({ by: "breaker", reason });
      expect(first.upstream).toMatchObject({ requests: paths.length, breakerOpenings: 1 });
      expect(runtime.measured.get("upstreamBreakerOpenings")).toBe(1);
      expect((await stored(DAY)).reports).toContainEqual({
        symbol: "S199",
        outcome: "deferred",
        reason: `not tried: ${reason}`,
      });

      upstream.isDown = false;
      const second = await fetch(event);
      expect(second.counts).toMatchObject({ fetched: 101, failed: 0, deferred: 0 });
      expect(second.stopped).toBeNull();
    },
  );

  it("is told of in 120 characters at most, with the beginning and the end of what it said", async () => {
    const body = JSON.stringify({ chart: { result: null, error: { code: "Internal", description: "x".repeat(400) } } });
    const { fetch } = createTestFetcher({ bars: { BHP: { [DAY]: {} }, ...bars } }, async (answer, { ticker = "" }) =>
      ticker === "" || ticker === "BHP.AX" ? answer : { status: 400, contentType: "application/json", body },
    );
    const { stopped } = await fetch({ symbols: ["BHP", ...symbols], batchNumber: 0, date: DAY });
    expect(stopped?.reason).toMatch(/^8 bad answers in a row, the last: /);
    expect(stopped?.reason.length).toBeLessThanOrEqual(120);
  });

  it("and then answers again goes on being asked", async () => {
    const unlucky = symbols.filter((_, index) => index % 8 !== 0).map(tickerOf);
    const { fetch } = createTestFetcher({ bars }, failing(403, ...unlucky));
    const result = await fetch({ symbols, batchNumber: 0, date: DAY });
    expect(result.counts).toMatchObject({ fetched: 13, deferred: 0 });
    expect(result.stopped).toBeNull();
  });

  it("is no reason to stop a batch that asks for less than eight symbols", async () => {
    const { fetch } = createTestFetcher({ bars }, failing(403, ...symbols.slice(1).map(tickerOf)));
    expect((await fetch({ symbols: symbols.slice(0, 8), batchNumber: 0, date: DAY })).stopped).toBeNull();
  });
});

describe("an upstream that refuses us from the first call on", () => {
  it.each([403, 429])("with HTTP %i is asked three times, and the batch says so", async (status) => {
    const { fetch, paths, runtime } = createTestFetcher({ bars }, failing(status));
    const result = await fetch({ symbols, batchNumber: 0, date: DAY });
    expect(result).toMatchObject({
      rows: 0,
      counts: { fetched: 0, notFound: 0 },
      upstream: { requests: 3 },
      stopped: { by: "block", reason: `blocked from the first call on: HTTP ${status}` },
    });
    expect(paths).toHaveLength(3);
    expect(runtime.measured.get("upstreamRequests")).toBe(3);
  });

  it("leaves a batch that holds bars as it is, and says so", async () => {
    const { fetch, stored, paths, runtime } = createTestFetcher({ bars }, failing(403));
    await storeFile(runtime, { date: DAY }, [plainBar("BHP", DAY)]);
    const result = await fetch({ symbols: ["BHP", ...symbols], batchNumber: 0, date: DAY });
    expect(result.stopped).toEqual({ by: "block", reason: "blocked from the first call on: HTTP 403" });
    expect(result.counts).toMatchObject({ fetched: 1, failed: 3, deferred: 97 });
    expect((await stored(DAY)).bars).toEqual([plainBar("BHP", DAY)]);
    expect(paths).toHaveLength(3);
  });
});

describe("symbols that had a bar the session before and are unknown now", () => {
  const event = { symbols, batchNumber: 0, date: DAY };

  it("six of a hundred stop the batch, and are not believed", async () => {
    const gone = ["S102", "S104", "S106", "S108", "S110", "S112"];
    const { fetch, stored, paths, runtime } = createTestFetcher({ bars }, unknown(...gone.map(tickerOf)));
    await storeSummary(runtime.store, BEFORE, symbols.map(fetchedReport));
    const result = await fetch(event);
    const reason = "the provider knew 6 of 13 symbols no more that had a bar the session before";
    expect(result.stopped).toEqual({ by: "unknown-symbols", reason });
    expect(result.counts).toMatchObject({ notFound: 0, failed: 6 });
    expect(result.counts.deferred).toBeGreaterThan(75);
    expect(paths.length).toBeLessThan(20);
    const { reports } = await stored(DAY);
    for (const symbol of gone) expect(reports).toContainEqual({ symbol, outcome: "failed", reason });
    expect(reports).toContainEqual({ symbol: "S199", outcome: "deferred", reason: `not tried: ${reason}` });
  });

  it("all of them stop the batch at once, as the same result, which the next run makes good", async () => {
    let isDown = true;
    const gone = unknown();
    const { fetch, runtime, paths } = createTestFetcher({ bars }, async (answer, request) =>
      isDown ? gone(answer, request) : answer,
    );
    await storeSummary(runtime.store, BEFORE, symbols.map(fetchedReport));
    const result = await fetch(event);
    expect(result).toMatchObject({ rows: 0, stopped: { by: "unknown-symbols" } });
    expect(result.counts.failed + result.counts.deferred).toBe(100);
    expect(paths.length).toBeLessThanOrEqual(16);
    isDown = false;
    expect((await fetch(event)).counts).toMatchObject({ fetched: 100 });
  });

  it("leave no other symbol believed to be unknown either, as one that did not trade then may have a bar now", async () => {
    const { fetch, stored, runtime } = createTestFetcher({ bars }, unknown());
    const [first = "", ...others] = symbols;
    await storeSummary(runtime.store, BEFORE, [{ symbol: first, outcome: "noTrade" }, ...others.map(fetchedReport)]);
    expect((await fetch(event)).counts).toMatchObject({ notFound: 0 });
    expect((await stored(DAY)).reports[0]).toMatchObject({ symbol: first, outcome: "failed" });
  });

  it.each([
    [3, 3],
    [59, 3],
    [60, 4],
    [79, 4],
    [80, 5],
    [100, 6],
  ])("of %i that are asked for stop the batch from the %ith on", async (asked, tooMany) => {
    const asking = { ...event, symbols: symbols.slice(0, asked) };
    for (const [gone, stopped] of [
      [tooMany - 1, null],
      [tooMany, expect.objectContaining({ by: "unknown-symbols" })],
    ] as const) {
      // The last ones: with how many have answered by then the bound does not grow.
      const { fetch, runtime } = createTestFetcher({ bars }, unknown(...asking.symbols.slice(-gone).map(tickerOf)));
      await storeSummary(runtime.store, BEFORE, symbols.map(fetchedReport));
      expect((await fetch(asking)).stopped).toEqual(stopped);
    }
  });

  it("are counted against those of the batch that had a bar, not all that are asked for", async () => {
    const { fetch, runtime } = createTestFetcher({ bars }, unknown("S100.AX", "S101.AX", "S102.AX"));
    const reports = symbols.map((symbol, index) => ({ symbol, outcome: index < 59 ? "fetched" : "noTrade" }) as const);
    await storeSummary(runtime.store, BEFORE, reports);
    expect((await fetch(event)).stopped).toMatchObject({ by: "unknown-symbols" });
  });

  it("are not hidden by symbols that failed", async () => {
    const rest = symbols.slice(4, 60);
    const gone = unknown("S160.AX", "S161.AX", "S162.AX", "S163.AX");
    const down = failing(422, ...rest.filter((_, index) => index % 4 !== 0).map(tickerOf));
    const { fetch, runtime } = createTestFetcher({ bars }, async (answer, request) =>
      gone(await down(answer, request), request),
    );
    await storeSummary(runtime.store, BEFORE, symbols.map(fetchedReport));
    expect((await fetch({ ...event, symbols: symbols.slice(0, 64) })).stopped).toMatchObject({ by: "unknown-symbols" });
  });

  it("one in twenty are believed: companies leave the exchange", async () => {
    const gone = [20, 40, 60, 80, 99].map((index) => `S${index + 100}`);
    const { fetch, runtime } = createTestFetcher({ bars }, unknown(...gone.map(tickerOf)));
    await storeSummary(runtime.store, BEFORE, symbols.map(fetchedReport));
    const result = await fetch(event);
    expect(result).toMatchObject({ counts: { fetched: 95, notFound: 5 }, stopped: null });
  });

  it("two are believed, however few are asked for", async () => {
    const { fetch, runtime } = createTestFetcher({ bars }, unknown("S100.AX", "S101.AX"));
    await storeSummary(runtime.store, BEFORE, symbols.map(fetchedReport));
    const result = await fetch({ ...event, symbols: symbols.slice(0, 3) });
    expect(result).toMatchObject({ counts: { fetched: 1, notFound: 2 }, stopped: null });
  });

  it.each<[string, SymbolOutcome]>([
    ["did not trade then", "noTrade"],
    ["were unknown then too", "notFound"],
  ])("count only where they had a bar: those that %s are believed in any number", async (_, outcome) => {
    const { fetch, runtime } = createTestFetcher({ bars }, unknown(...symbols.slice(1).map(tickerOf)));
    const others = symbols.slice(1).map((symbol) => ({ symbol, outcome }));
    await storeSummary(runtime.store, BEFORE, [fetchedReport("S100"), ...others]);
    const result = await fetch(event);
    expect(result).toMatchObject({ counts: { fetched: 1, notFound: 99 }, stopped: null });
  });

  it("are compared with the newest stored session of the last five, over a weekend and a missing day", async () => {
    const { fetch, runtime } = createTestFetcher({ bars }, unknown());
    await storeSummary(runtime.store, "2024-05-24", symbols.map(fetchedReport));
    expect((await fetch(event)).stopped).toMatchObject({ by: "unknown-symbols" });
  });

  it("are believed where nothing is stored to compare with, or only a damaged summary, which is warned of", async () => {
    const { fetch, runtime } = createTestFetcher({ bars }, unknown());
    await runtime.store.put(`runs/${BEFORE}.json`, new TextEncoder().encode("{"));
    expect(await fetch(event)).toMatchObject({ counts: { notFound: 100 }, stopped: null });
    expect(runtime.logs).toContainEqual(expect.stringMatching(`^warn runs/${BEFORE}.json is damaged`));
  });
});

describe("a batch of a run", () => {
  const run = { id: "first", attempt: 1, upstream: NOTHING_ASKED };
  const event = { symbols: ["S100"], batchNumber: 0, date: DAY, run };

  it("keeps its date: it renews the run's lock as it begins", async () => {
    const { fetch, wait, runtime } = createTestFetcher({ bars });
    const { store, clock } = runtime;
    await takeRunLock(store, DAY, { run: "first" }, { clock, expiresAfterMs: 30 * MINUTE });
    await wait(20 * MINUTE);
    await fetch(event);
    await wait(29 * MINUTE);
    await expect(takeRunLock(store, DAY, { run: "second" }, { clock, expiresAfterMs: 30 * MINUTE })).rejects.toThrow(
      RunUnderWayError,
    );
  });

  it("stops before it asks or writes anything where another run has taken the date over", async () => {
    const { fetch, wait, paths, runtime } = createTestFetcher({ bars });
    const { store, clock } = runtime;
    await takeRunLock(store, DAY, { run: "first" }, { clock, expiresAfterMs: 30 * MINUTE });
    await wait(30 * MINUTE);
    await takeRunLock(store, DAY, { run: "second" }, { clock, expiresAfterMs: 30 * MINUTE });
    const lock = store.objects.get(runLockKey(DAY));
    await expect(fetch(event)).rejects.toThrow(RunUnderWayError);
    expect(paths).toEqual([]);
    expect(store.objects.has(KEY)).toBe(false);
    expect(store.objects.get(runLockKey(DAY))).toEqual(lock);
  });

  it("that catches up renews the locks of all of its sessions, and stops where one was taken over", async () => {
    const { fetch, wait, paths, runtime } = createTestFetcher({ bars });
    const { store, clock } = runtime;
    const options = { clock, expiresAfterMs: 30 * MINUTE };
    const both = { ...event, sessions: [BEFORE, DAY], catchUp: true };
    await takeRunLocks(store, both.sessions, { run: "first" }, options);
    await wait(20 * MINUTE);
    await fetch(both);
    await wait(29 * MINUTE);
    for (const date of both.sessions) {
      await expect(takeRunLock(store, date, { run: "second" }, options)).rejects.toThrow(RunUnderWayError);
    }
    await wait(MINUTE);
    await takeRunLock(store, BEFORE, { run: "second" }, options);
    paths.length = 0;
    const before = store.objects.get(KEY);
    await expect(fetch(both)).rejects.toThrow(`another run has taken ${BEFORE} over`);
    expect(paths).toEqual([]);
    expect(store.objects.get(KEY)).toEqual(before);
  });

  it("whose date nobody holds any more goes on only where its run still holds it", async () => {
    const { fetch, runtime } = createTestFetcher({ bars });
    const { store, clock } = runtime;
    await takeRunLock(store, DAY, { run: "second" }, { clock, expiresAfterMs: 30 * MINUTE });
    await releaseRunLock(store, DAY, "second", clock);
    await expect(fetch(event)).rejects.toThrow(RunUnderWayError);
  });

  it("without a run needs no lock", async () => {
    const { fetch, runtime } = createTestFetcher({ bars });
    const { run: _, ...alone } = event;
    expect((await fetch(alone)).rows).toBe(1);
    expect(runtime.store.objects.has(runLockKey(DAY))).toBe(false);
  });
});
