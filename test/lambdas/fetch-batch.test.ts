import { describe, expect, it } from "vitest";
import { NOTHING_ASKED, type SymbolOutcome } from "../../domain/batch.ts";
import {
  SessionNotSettledError,
  StoreConflictError,
  StoredFileError,
  SymbolsMissingError,
} from "../../domain/errors.ts";
import type { Delivery } from "../../sandbox/server.ts";
import type { SimulatedClock } from "../../sandbox/simulated-clock.ts";
import { sha256 } from "../../stores/sha256.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { createTestFetcher, failing } from "../support/test-fetcher.ts";
import { EVENING, type TestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const KEY = "raw-data/2024-05-31-batch-0.parquet";
const MINUTE = 60_000;
const BEFORE_SETTLING = "2024-05-31T18:59:59+10:00";

function tickerOf(symbol: string): string {
  return `${symbol}.AX`;
}

describe("a batch", () => {
  it("stores the bar of each symbol and reports one outcome for each", async () => {
    const { fetch, stored } = createTestFetcher({
      bars: { BHP: { [DAY]: { close: 10.1 } }, CBA: { [DAY]: null }, NAB: {}, RIO: { [DAY]: { low: 20 } } },
    });
    const result = await fetch({ symbols: ["RIO", "BHP", "XYZ", "NAB", "CBA"], batchNumber: 0, date: DAY });

    expect(result.counts).toEqual({ fetched: 1, noTrade: 2, notFound: 1, invalid: 1, failed: 0, deferred: 0 });
    const file = await stored(DAY);
    expect(file.bars).toEqual([
      {
        symbol: "BHP",
        date: DAY,
        open: 10,
        high: 11,
        low: 9,
        close: 10.1,
        adjustedClose: 10.25,
        volume: 1000,
        dividend: null,
        splitRatio: null,
        fetchTimestamp: Date.parse(EVENING),
        batchNumber: 0,
      },
    ]);
    expect(file.reports).toEqual([
      { symbol: "CBA", outcome: "noTrade" },
      { symbol: "NAB", outcome: "noTrade" },
      { symbol: "RIO", outcome: "invalid", reason: "low 20 is above high 11" },
      { symbol: "XYZ", outcome: "notFound" },
    ]);
  });

  it("returns the message of the contract, with the stored file's size and hash", async () => {
    const { fetch, runtime } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } }, failing(503, "CBA.AX"));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    const bytes = runtime.store.objects.get(KEY) ?? new Uint8Array();
    expect(result).toEqual({
      date: DAY,
      batchNumber: 0,
      s3Key: KEY,
      rows: 1,
      bytes: bytes.length,
      sha256: sha256(bytes),
      counts: { fetched: 1, noTrade: 0, notFound: 0, invalid: 0, failed: 1, deferred: 0 },
      unfinished: [{ symbol: "CBA", outcome: "failed", reason: "HTTP 503 after 6 attempts" }],
      revised: 0,
      earlier: [],
      unread: 0,
      upstream: { requests: 7, retries: 5, rateLimited: 0, breakerOpenings: 0, waitedMs: 15_500 },
      stopped: null,
      durationMs: expect.any(Number),
    });
  });

  it("carries dividends and splits on their ex-date only", async () => {
    const { fetch, stored } = createTestFetcher({
      bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } },
      dividends: { BHP: [{ date: DAY, amount: 0.72 }], CBA: [{ date: "2024-05-30", amount: 2 }] },
      splits: { CBA: [{ date: DAY, numerator: 1, denominator: 20 }] },
    });
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    const { bars } = await stored(DAY);
    expect(bars.map(({ symbol, dividend, splitRatio }) => [symbol, dividend, splitRatio])).toEqual([
      ["BHP", 0.72, null],
      ["CBA", null, 0.05],
    ]);
  });

  it("called without a batch number goes into the single file of the date", async () => {
    const { fetch, stored } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } });
    const result = await fetch({ symbols: ["BHP"], date: DAY });
    expect(result).toMatchObject({ batchNumber: null, s3Key: "raw-data/2024-05-31.parquet" });
    expect((await stored(DAY, null)).bars[0]?.batchNumber).toBeNull();
  });

  it("called without symbols takes those of the newest list on or before the date", async () => {
    const { fetch, stored, runtime } = createTestFetcher({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } } });
    const listing = { name: "", industryGroup: "", listingDate: null, marketCap: null };
    for (const [date, symbol] of [
      ["2024-05-29", "NAB"],
      ["2024-05-30", "BHP"],
      ["2024-06-03", "CBA"],
    ] as const) {
      await runtime.store.put(`symbols/${date}-symbols.csv`, encodeSymbolsCsv([{ symbol, ...listing }]));
    }
    await fetch({ date: DAY });
    expect((await stored(DAY, null)).bars.map(({ symbol }) => symbol)).toEqual(["BHP"]);
  });

  it("called without symbols where no list is stored says what to do", async () => {
    const { fetch } = createTestFetcher({ bars: {} });
    await expect(fetch({ date: DAY })).rejects.toThrow(SymbolsMissingError);
  });

  it("called without a date takes the last finished trading day", async () => {
    const { fetch } = createTestFetcher({ bars: { BHP: { "2024-05-30": {} } } }, undefined, BEFORE_SETTLING);
    expect(await fetch({ symbols: ["BHP"], batchNumber: 0 })).toMatchObject({ date: "2024-05-30", rows: 1 });
  });

  it("of a session that has not settled is refused before anything is asked", async () => {
    const { fetch, paths } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } }, undefined, BEFORE_SETTLING);
    await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).rejects.toThrow(SessionNotSettledError);
    expect(paths).toEqual([]);
  });

  it.each(["2024-06-01", "2024-04-25"])(
    "of %s, a day without a session, is refused before anything is asked",
    async (date) => {
      const { fetch, paths } = createTestFetcher({ bars: { BHP: {} } }, undefined, "2024-06-03T09:00:00+10:00");
      await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date })).rejects.toThrow("no session");
      expect(paths).toEqual([]);
    },
  );

  it("asks once for a symbol that is named twice", async () => {
    const { fetch, paths } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } });
    const result = await fetch({ symbols: ["BHP", "BHP"], batchNumber: 0, date: DAY });
    expect(result.counts.fetched).toBe(1);
    expect(paths).toEqual(["/v8/finance/chart/BHP.AX"]);
  });

  it("with no symbol that trades is a valid file of no rows", async () => {
    const { fetch, stored } = createTestFetcher({ bars: { BHP: {} } });
    expect(await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).toMatchObject({ rows: 0 });
    expect(await stored(DAY)).toEqual({
      bars: [],
      reports: [{ symbol: "BHP", outcome: "noTrade" }],
      source: "stand-in",
    });
  });

  it("tells of each symbol's outcome as it is known", async () => {
    const told: SymbolOutcome[] = [];
    const { fetch, runtime } = createTestFetcher({ bars: { BHP: { [DAY]: {} }, CBA: {} } });
    Object.assign(runtime, { onOutcome: (outcome: SymbolOutcome) => told.push(outcome) });
    await fetch({ symbols: ["BHP", "CBA", "XYZ"], batchNumber: 0, date: DAY });
    expect(told.toSorted()).toEqual(["fetched", "noTrade", "notFound"]);
  });
});

describe("trouble with one symbol", () => {
  it("does not stop the others", async () => {
    const { fetch } = createTestFetcher({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } } }, failing(403, "BHP.AX"));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result.counts).toMatchObject({ fetched: 1, failed: 1 });
  });

  it.each([
    [403, 1],
    [302, 1],
    [401, 6],
    [429, 6],
    [500, 6],
    [503, 6],
  ])("answered HTTP %i is tried %i times", async (status, tries) => {
    const { fetch, paths } = createTestFetcher({ bars: { CBA: { [DAY]: {} } } }, failing(status, "BHP.AX"));
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(paths.filter((path) => path.endsWith("BHP.AX"))).toHaveLength(tries);
  });

  it("that passes leaves the bar stored", async () => {
    let asked = 0;
    const { fetch } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } }, async (answer) => {
      asked += 1;
      return asked < 5 ? { status: 503, contentType: "text/plain", body: "Will be right back\r\n" } : answer;
    });
    expect(await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).toMatchObject({ rows: 1, unfinished: [] });
  });

  it("is named for three symbols at most, so that the message stays small", async () => {
    const symbols = ["S01", "S02", "S03", "S04", "S05", "S06", "S07"];
    const { fetch } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } }, failing(422, ...symbols.map(tickerOf)));
    const result = await fetch({ symbols: ["BHP", ...symbols], batchNumber: 0, date: DAY });
    expect(result.counts.failed).toBe(7);
    expect(result.unfinished).toHaveLength(3);
  });

  it("is named in 80 characters at most, and stored with its whole reason", async () => {
    const broken: Delivery = async (answer, { ticker }) =>
      ticker === "CBA.AX" ? { status: 200, contentType: "text/html", body: "<html>".padEnd(500, "x") } : answer;
    const { fetch, stored } = createTestFetcher({ bars: { BHP: { [DAY]: {} }, CBA: {} } }, broken);
    const { unfinished } = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    const { reason: whole = "" } = (await stored(DAY)).reports[0] ?? {};
    const [{ reason: named = "" } = {}] = unfinished;
    expect(whole.length).toBeGreaterThan(80);
    expect(named).toHaveLength(80);
    const [beginning = "", end = ""] = named.split(" ... ");
    expect(whole.startsWith(beginning) && whole.endsWith(end)).toBe(true);
  });
});

describe("a batch of which every symbol failed", () => {
  it("for a transient reason is a result with its reasons, and what was asked", async () => {
    const { fetch, stored } = createTestFetcher({ bars: {} }, async () => ({
      status: 503,
      contentType: "text/html",
      body: "",
    }));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result).toMatchObject({
      rows: 0,
      counts: { fetched: 0, failed: 2 },
      upstream: { requests: 8, breakerOpenings: 1 },
      stopped: { by: "breaker", reason: "8 bad answers in a row, the last: HTTP 503" },
    });
    const { bars, reports } = await stored(DAY);
    expect(bars).toEqual([]);
    expect(reports.map(({ symbol, outcome }) => `${symbol} ${outcome}`)).toEqual(["BHP failed", "CBA failed"]);
  });

  it("for a reason that stays, in fewer answers than tell of a block, is a result that says so", async () => {
    const { fetch } = createTestFetcher({ bars: {} }, async () => ({
      status: 403,
      contentType: "text/html",
      body: "",
    }));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result).toMatchObject({ rows: 0, counts: { failed: 2 } });
  });
});

describe("running a batch again", () => {
  it("asks only for what has no final outcome, and keeps every stored bar as it was", async () => {
    const down = new Set(["CBA.AX"]);
    const { fetch, stored, wait, paths } = createTestFetcher(
      { bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: {} } },
      async (answer, { ticker }) =>
        ticker !== undefined && down.has(ticker) ? { status: 503, contentType: "text/plain", body: "" } : answer,
    );
    const event = { symbols: ["BHP", "CBA", "NAB", "XYZ"], batchNumber: 0, date: DAY };
    await fetch(event);
    const [first] = (await stored(DAY)).bars;
    down.clear();
    paths.length = 0;
    await wait(12 * 60 * MINUTE);
    const result = await fetch(event);

    expect(paths).toEqual(["/v8/finance/chart/CBA.AX"]);
    expect(result.counts).toEqual({ fetched: 2, noTrade: 1, notFound: 1, invalid: 0, failed: 0, deferred: 0 });
    const { bars, reports } = await stored(DAY);
    expect(bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
    expect(bars[0]).toEqual(first);
    expect(reports.map(({ symbol }) => symbol)).toEqual(["NAB", "XYZ"]);
  });

  it.each([
    ["400 Bad Request", 400, "Bad Request"],
    ["404 Not Found", 404, "Not Found"],
  ])("asks a batch without a single bar once more: %s for every symbol is an outage", async (_, status, code) => {
    let down = true;
    const { fetch } = createTestFetcher({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } } }, async (answer) =>
      down
        ? {
            status,
            contentType: "application/json",
            body: JSON.stringify({ chart: { result: null, error: { code } } }),
          }
        : answer,
    );
    const event = { symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY };
    expect((await fetch(event)).counts.fetched).toBe(0);
    down = false;
    expect((await fetch(event)).counts).toMatchObject({ fetched: 2, noTrade: 0, notFound: 0 });
  });

  it("tries symbols that failed last, so that they keep none of the others from being tried", async () => {
    const bad = Array.from({ length: 8 }, (_, index) => `A0${index}`);
    const good = ["BBB", "CCC", "DDD"];
    const bars = Object.fromEntries(["AAA", ...good].map((symbol) => [symbol, { [DAY]: {} }]));
    const { fetch } = createTestFetcher({ bars }, failing(422, ...bad.map(tickerOf)));
    const event = { symbols: ["AAA", ...bad, ...good], batchNumber: 0, date: DAY };
    await fetch(event);
    expect((await fetch(event)).counts.fetched).toBe(4);
  });

  it("with nothing left to do neither asks nor writes", async () => {
    const { fetch, runtime, paths } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } });
    const event = { symbols: ["BHP", "XYZ"], batchNumber: 0, date: DAY };
    const before = await fetch(event);
    const stored = [...runtime.store.objects];
    runtime.store.calls.length = 0;
    const after = await fetch(event);
    expect(paths).toHaveLength(2);
    expect(runtime.store.calls.filter((call) => /^(put|replace) /.test(call))).toEqual([]);
    expect([...runtime.store.objects]).toEqual(stored);
    // Days before are of no use to a batch that asks for nothing.
    expect(runtime.store.calls.filter((call) => call.includes("runs/"))).toEqual([]);
    expect(after).toEqual({ ...before, upstream: NOTHING_ASKED, durationMs: expect.any(Number) });
  });

  it("while the upstream is down loses no stored bar", async () => {
    let down = false;
    const { fetch, stored } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } }, async (answer) =>
      down ? { status: 503, contentType: "text/plain", body: "" } : answer,
    );
    await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY });
    down = true;
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result.counts).toMatchObject({ fetched: 1, failed: 1 });
    expect((await stored(DAY)).bars.map(({ symbol }) => symbol)).toEqual(["BHP"]);
  });

  it("cut into other batches stores no bar twice and drops none", async () => {
    const { fetch, stored, paths } = createTestFetcher({
      bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: { [DAY]: {} } },
    });
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    await fetch({ symbols: ["NAB"], batchNumber: 1, date: DAY });
    const first = await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY });
    const second = await fetch({ symbols: ["CBA", "NAB"], batchNumber: 1, date: DAY });

    expect(paths).toHaveLength(3);
    expect([first.counts.fetched, second.counts.fetched]).toEqual([1, 2]);
    expect([first.rows, second.rows]).toEqual([2, 1]);
    const files = await Promise.all([0, 1].map((batch) => stored(DAY, batch)));
    expect(files.flatMap(({ bars }) => bars.map(({ symbol }) => symbol))).toEqual(["BHP", "CBA", "NAB"]);
  });

  it("over a damaged file stops, names it and leaves it as it is", async () => {
    const { fetch, runtime } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } });
    const damaged = new TextEncoder().encode("PAR1 no more");
    await runtime.store.put(KEY, damaged);
    await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).rejects.toThrow(StoredFileError);
    expect(runtime.store.objects.get(KEY)).toEqual(damaged);
  });
});

describe("a batch whose time runs out", () => {
  const symbols = Array.from({ length: 40 }, (_, index) => `S${index + 100}`);
  const MARKET = { bars: Object.fromEntries(symbols.map((symbol) => [symbol, { [DAY]: {} }])) };
  const event = { symbols, batchNumber: 0, date: DAY };
  const START = Date.parse(EVENING);
  const reason = "not tried: the time was running out";

  it("stores what it has, defers the rest, and goes on from there when it is run again", async () => {
    const { fetch, stored, paths } = createTestFetcher(MARKET);
    const result = await fetch(event, { endsAt: START + 15 * MINUTE, requestsPerSecond: 1 / 60 });
    const { fetched, deferred } = result.counts;
    expect(fetched).toBeGreaterThanOrEqual(10);
    expect(fetched + deferred).toBe(40);
    expect(result.stopped).toBeNull();
    const { bars, reports } = await stored(DAY);
    expect(bars).toHaveLength(fetched);
    expect(reports).toHaveLength(deferred);
    for (const report of reports) expect(report).toMatchObject({ outcome: "deferred", reason });

    paths.length = 0;
    expect((await fetch(event)).counts).toMatchObject({ fetched: 40, deferred: 0 });
    expect(paths).toHaveLength(deferred);
  });

  it("begins no symbol in the last five minutes, and sends nothing in the last one", async () => {
    const sent: number[] = [];
    const fetcher = createTestFetcher(MARKET, async (answer) => {
      sent.push(fetcher.runtime.clock.now());
      return answer;
    });
    const endsAt = START + 30 * MINUTE;
    const { counts } = await fetcher.fetch(event, { endsAt, requestsPerSecond: 1 / 60 });
    expect(Math.max(...sent)).toBeLessThanOrEqual(endsAt - MINUTE);
    // 16 symbols wait at the gate at once: those are all that may be sent after no further one is begun.
    expect(sent.filter((at) => at > endsAt - 5 * MINUTE).length).toBeLessThanOrEqual(16);
    expect(counts.deferred).toBeGreaterThan(0);
  });

  it("by what the last five minutes leave asks for every symbol, by a millisecond less for none", async () => {
    const enough = createTestFetcher(MARKET);
    expect((await enough.fetch(event, { endsAt: START + 5 * MINUTE })).counts.fetched).toBe(40);
    const less = createTestFetcher(MARKET);
    expect((await less.fetch(event, { endsAt: START + 5 * MINUTE - 1 })).counts.deferred).toBe(40);
    expect(less.paths).toEqual([]);
  });

  it("tries none again for whose wait there is no time", async () => {
    const { fetch, paths } = createTestFetcher(MARKET, async (answer, { ticker }) =>
      ticker === "S101.AX"
        ? { status: 503, contentType: "text/plain", body: "", headers: { "retry-after": "60" } }
        : answer,
    );
    const twoSymbols = { ...event, symbols: ["S100", "S101"] };
    const result = await fetch(twoSymbols, { endsAt: START + 5 * MINUTE });
    expect(result.counts).toMatchObject({ fetched: 1, failed: 1 });
    expect(paths.filter((path) => path.endsWith("S101.AX")).length).toBeLessThan(5);
  });
});

describe("a batch that another writer stores at the same time", () => {
  /** Runs `meanwhile` just before the batch writes for the first time. */
  function interrupt(runtime: TestRuntime<SimulatedClock>, meanwhile: () => Promise<unknown>): void {
    const replace = runtime.store.replace.bind(runtime.store);
    let isFirst = true;
    runtime.store.replace = async (...args) => {
      if (isFirst) {
        isFirst = false;
        await meanwhile();
      }
      await replace(...args);
    };
  }

  it("loses neither's bars, whoever comes first", async () => {
    const { fetch, fetchWithin, stored, runtime } = createTestFetcher({
      bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: { [DAY]: {} } },
    });
    interrupt(runtime, () => fetchWithin({ symbols: ["CBA", "NAB"], batchNumber: 0, date: DAY }));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    const file = await stored(DAY);
    expect(file.bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA", "NAB"]);
    expect(result).toMatchObject({ rows: 3, bytes: runtime.store.objects.get(KEY)?.length });
  });

  it("takes the bar and the final outcome that the other found, rather than its own failure", async () => {
    let isDown = true;
    const { fetch, fetchWithin, stored, runtime } = createTestFetcher(
      { bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: {} } },
      async (answer, { ticker }) =>
        isDown && ticker !== undefined && ticker !== "BHP.AX"
          ? { status: 503, contentType: "text/plain", body: "" }
          : answer,
    );
    interrupt(runtime, () => {
      isDown = false;
      return fetchWithin({ symbols: ["CBA", "NAB"], batchNumber: 0, date: DAY });
    });
    await fetch({ symbols: ["BHP", "CBA", "NAB"], batchNumber: 0, date: DAY });
    const file = await stored(DAY);
    expect(file.bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
    expect(file.reports).toEqual([{ symbol: "NAB", outcome: "noTrade" }]);
  });

  it("gives up after eight tries, transiently, and writes nothing", async () => {
    const { fetch, runtime } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } });
    let tries = 0;
    runtime.store.replace = async (key) => {
      tries += 1;
      throw new StoreConflictError(`${key} was changed`);
    };
    await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).rejects.toThrow(StoreConflictError);
    expect([tries, runtime.store.objects.size]).toEqual([8, 0]);
  });
});

describe("the request budget", () => {
  it("is shared out: workers that fetch at the same time take turns", async () => {
    const bars = Object.fromEntries(
      ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"].map((symbol) => [symbol, { [DAY]: {} }]),
    );
    const sent: number[] = [];
    const { fetchWithin, runtime } = createTestFetcher({ bars }, async (answer) => {
      sent.push(runtime.clock.now());
      return answer;
    });
    const batches = [
      ["AAA", "BBB"],
      ["CCC", "DDD"],
      ["EEE", "FFF"],
    ];
    await runtime.clock.run(() =>
      Promise.all(
        batches.map((symbols, lane) =>
          fetchWithin({ symbols, batchNumber: lane, date: DAY, lanes: 3, lane }, { requestsPerSecond: 0.5 }),
        ),
      ),
    );
    const gaps = sent.slice(1).map((at, index) => at - (sent[index] ?? 0));
    expect(sent).toHaveLength(6);
    expect(Math.min(...gaps)).toBeGreaterThan(2_000);
  });

  it("is one worker's alone where the event says nothing of others", async () => {
    const { fetch, runtime } = createTestFetcher({ bars: { AAA: { [DAY]: {} }, BBB: { [DAY]: {} } } });
    const { durationMs } = await fetch(
      { symbols: ["AAA", "BBB"], batchNumber: 3, date: DAY },
      { requestsPerSecond: 0.5 },
    );
    expect(durationMs).toBeLessThan(4_200);
    expect(runtime.measured.get("upstreamWaiting")).toBeGreaterThan(2_000);
  });

  it.each([
    [503, 0],
    [429, 6],
  ])("counts every request, retries included, and after HTTP %i %i as rate limited", async (status, rateLimited) => {
    const { fetch, runtime } = createTestFetcher({ bars: { BHP: { [DAY]: {} } } }, failing(status, "CBA.AX"));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result.upstream).toEqual({
      ...{ requests: 7, retries: 5, rateLimited, breakerOpenings: 0 },
      waitedMs: expect.any(Number),
    });
    expect(result.upstream.waitedMs).toBeGreaterThan(1_000);
    expect(Object.fromEntries(runtime.measured)).toEqual({
      symbolsAsked: 2,
      upstreamRequests: 7,
      upstreamRetries: 5,
      upstreamRateLimited: rateLimited,
      upstreamBreakerOpenings: 0,
      upstreamWaiting: result.upstream.waitedMs,
      batchDuration: expect.any(Number),
    });
  });
});
