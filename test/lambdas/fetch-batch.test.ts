import { describe, expect, it } from "vitest";
import type { BatchEvent, BatchResult, SymbolOutcome } from "../../domain/batch.ts";
import {
  BatchFailedError,
  SessionNotSettledError,
  StoreConflictError,
  StoredFileError,
  SymbolsMissingError,
} from "../../domain/errors.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchBatch } from "../../lambdas/batch-fetcher/fetch-batch.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { decodeBatchFile } from "../../lambdas/runtime/batch-file-reader.ts";
import { encodeSymbolsCsv } from "../../lambdas/runtime/symbols-csv.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { sha256 } from "../../stores/sha256.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime, EVENING, type TestRuntime } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";
const KEY = "raw-data/2024-05-31-batch-0.parquet";

/** A batch fetcher's surroundings: the real client, and a market answering in the process. */
function setUp(tiny: TinyMarket, delivery?: Delivery) {
  const clock = createTestClock(EVENING);
  const upstream = sandboxFetch(createTinyMarket(tiny), clock.now, delivery);
  const runtime = createTestRuntime({ clock, fetch: upstream.fetch });
  const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch: upstream.fetch, clock });
  const options = { source, calendar: createTradingCalendar(), requestsPerSecond: null, runtime };
  return {
    runtime,
    paths: upstream.paths,
    fetch: (event: BatchEvent): Promise<BatchResult> => fetchBatch(event, options),
    fetchUntil: (event: BatchEvent, endsAt: number) => fetchBatch(event, { ...options, endsAt }),
    fetchAt: (event: BatchEvent, requestsPerSecond: number) => fetchBatch(event, { ...options, requestsPerSecond }),
  };
}

async function storedFile({ store }: TestRuntime, key: string) {
  const bytes = store.objects.get(key);
  if (bytes === undefined) throw new Error(`nothing is stored under ${key}`);
  return decodeBatchFile(key, bytes);
}

function failing(status: number, ...tickers: string[]): Delivery {
  return async (answer, { ticker }) =>
    ticker !== undefined && tickers.includes(ticker) ? { status, contentType: "text/plain", body: "" } : answer;
}

describe("a batch", () => {
  it("stores the bar of each symbol and reports one outcome for each", async () => {
    const { runtime, fetch } = setUp({
      bars: { BHP: { [DAY]: { close: 10.1 } }, CBA: { [DAY]: null }, NAB: {}, RIO: { [DAY]: { low: 20 } } },
    });
    const result = await fetch({ symbols: ["RIO", "BHP", "XYZ", "NAB", "CBA"], batchNumber: 0, date: DAY });

    expect(result.counts).toEqual({ fetched: 1, noTrade: 2, notFound: 1, invalid: 1, failed: 0, deferred: 0 });
    const file = await storedFile(runtime, KEY);
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
    const { runtime, fetch } = setUp({ bars: { BHP: { [DAY]: {} } } }, failing(503, "CBA.AX"));
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
      unfinished: [{ symbol: "CBA", outcome: "failed", reason: "HTTP 503 after 5 attempts" }],
      durationMs: expect.any(Number),
    });
  });

  it("carries dividends and splits on their ex-date only", async () => {
    const { runtime, fetch } = setUp({
      bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } },
      dividends: { BHP: [{ date: DAY, amount: 0.72 }], CBA: [{ date: "2024-05-30", amount: 2 }] },
      splits: { CBA: [{ date: DAY, numerator: 1, denominator: 20 }] },
    });
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    const { bars } = await storedFile(runtime, KEY);
    expect(bars.map(({ symbol, dividend, splitRatio }) => [symbol, dividend, splitRatio])).toEqual([
      ["BHP", 0.72, null],
      ["CBA", null, 0.05],
    ]);
  });

  it("called without a batch number goes into the single file of the date", async () => {
    const { runtime, fetch } = setUp({ bars: { BHP: { [DAY]: {} } } });
    const result = await fetch({ symbols: ["BHP"], date: DAY });
    expect(result).toMatchObject({ batchNumber: null, s3Key: "raw-data/2024-05-31.parquet" });
    expect((await storedFile(runtime, result.s3Key)).bars[0]?.batchNumber).toBeNull();
  });

  it("called without symbols takes those of the newest list on or before the date", async () => {
    const { runtime, fetch } = setUp({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } } });
    const listing = { name: "", industryGroup: "", listingDate: null, marketCap: null };
    for (const [date, symbol] of [
      ["2024-05-29", "NAB"],
      ["2024-05-30", "BHP"],
      ["2024-06-03", "CBA"],
    ] as const) {
      await runtime.store.put(`symbols/${date}-symbols.csv`, encodeSymbolsCsv([{ symbol, ...listing }]));
    }
    const result = await fetch({ date: DAY });
    expect((await storedFile(runtime, result.s3Key)).bars.map(({ symbol }) => symbol)).toEqual(["BHP"]);
  });

  it("called without symbols where no list is stored says what to do", async () => {
    const { fetch } = setUp({ bars: {} });
    await expect(fetch({ date: DAY })).rejects.toThrow(SymbolsMissingError);
  });

  it("called without a date takes the last finished trading day", async () => {
    const { fetch, runtime } = setUp({ bars: { BHP: { "2024-05-30": {} } } });
    runtime.clock.set("2024-05-31T18:59:59+10:00");
    expect(await fetch({ symbols: ["BHP"], batchNumber: 0 })).toMatchObject({ date: "2024-05-30", rows: 1 });
  });

  it("of a session that has not settled is refused before anything is asked", async () => {
    const { fetch, runtime, paths } = setUp({ bars: { BHP: { [DAY]: {} } } });
    runtime.clock.set("2024-05-31T18:59:59+10:00");
    await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).rejects.toThrow(SessionNotSettledError);
    expect(paths).toEqual([]);
  });

  it.each(["2024-06-01", "2024-04-25"])(
    "of %s, a day without a session, is refused before anything is asked",
    async (date) => {
      const { fetch, runtime, paths } = setUp({ bars: { BHP: {} } });
      runtime.clock.set("2024-06-03T09:00:00+10:00");
      await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date })).rejects.toThrow("no session");
      expect(paths).toEqual([]);
    },
  );

  it("asks once for a symbol that is named twice", async () => {
    const { fetch, paths } = setUp({ bars: { BHP: { [DAY]: {} } } });
    const result = await fetch({ symbols: ["BHP", "BHP"], batchNumber: 0, date: DAY });
    expect(result.counts.fetched).toBe(1);
    expect(paths).toEqual(["/v8/finance/chart/BHP.AX"]);
  });

  it("with no symbol that trades is a valid file of no rows", async () => {
    const { fetch, runtime } = setUp({ bars: { BHP: {} } });
    expect(await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).toMatchObject({ rows: 0 });
    expect(await storedFile(runtime, KEY)).toEqual({
      bars: [],
      reports: [{ symbol: "BHP", outcome: "noTrade" }],
      source: "stand-in",
    });
  });

  it("tells of each symbol's outcome as it is known", async () => {
    const told: SymbolOutcome[] = [];
    const { fetch, runtime } = setUp({ bars: { BHP: { [DAY]: {} }, CBA: {} } });
    Object.assign(runtime, { onOutcome: (outcome: SymbolOutcome) => told.push(outcome) });
    await fetch({ symbols: ["BHP", "CBA", "XYZ"], batchNumber: 0, date: DAY });
    expect(told.toSorted()).toEqual(["fetched", "noTrade", "notFound"]);
  });
});

describe("trouble with one symbol", () => {
  it("does not stop the others", async () => {
    const { fetch } = setUp({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } } }, failing(403, "BHP.AX"));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result.counts).toMatchObject({ fetched: 1, failed: 1 });
  });

  it.each([
    [403, 1],
    [302, 1],
    [401, 5],
    [429, 5],
    [500, 5],
    [503, 5],
  ])("answered HTTP %i is tried %i times", async (status, tries) => {
    const { fetch, paths } = setUp({ bars: { CBA: { [DAY]: {} } } }, failing(status, "BHP.AX"));
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(paths.filter((path) => path.endsWith("BHP.AX"))).toHaveLength(tries);
  });

  it("that passes leaves the bar stored", async () => {
    let asked = 0;
    const { fetch } = setUp({ bars: { BHP: { [DAY]: {} } } }, async (answer) => {
      asked += 1;
      return asked < 4 ? { status: 429, contentType: "text/plain", body: "Too Many Requests\r\n" } : answer;
    });
    expect(await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).toMatchObject({ rows: 1, unfinished: [] });
  });

  it("is named for five symbols at most, so that the message stays small", async () => {
    const symbols = ["S01", "S02", "S03", "S04", "S05", "S06", "S07"];
    const { fetch } = setUp({ bars: { BHP: { [DAY]: {} } } }, failing(503, ...symbols.map((symbol) => `${symbol}.AX`)));
    const result = await fetch({ symbols: ["BHP", ...symbols], batchNumber: 0, date: DAY });
    expect(result.counts.failed).toBe(7);
    expect(result.unfinished).toHaveLength(5);
  });
});

describe("an upstream that fails one symbol after the other", () => {
  const symbols = Array.from({ length: 100 }, (_, index) => `S${index + 100}`);
  const bars = Object.fromEntries(symbols.map((symbol) => [symbol, { [DAY]: {} }]));

  it.each([
    [503, 5],
    [403, 1],
  ])(
    "with HTTP %i is not asked on: the rest of the batch is deferred, and fetched by the next run",
    async (status, tries) => {
      let down = true;
      const { fetch, runtime, paths } = setUp({ bars: { BHP: { [DAY]: {} }, ...bars } }, async (answer, { ticker }) =>
        down && ticker !== "BHP.AX" ? { status, contentType: "text/plain", body: "" } : answer,
      );
      const event = { symbols: ["BHP", ...symbols], batchNumber: 0, date: DAY };
      const first = await fetch(event);
      expect(first.counts.fetched).toBe(1);
      expect(first.counts.failed).toBeLessThanOrEqual(8 + 3);
      expect(first.counts.failed + first.counts.deferred).toBe(100);
      expect(paths.length).toBeLessThanOrEqual(1 + (8 + 3) * tries);
      expect((await storedFile(runtime, KEY)).reports).toContainEqual({
        symbol: "S199",
        outcome: "deferred",
        reason: "not tried: 8 symbols in a row had failed",
      });

      down = false;
      expect((await fetch(event)).counts).toMatchObject({ fetched: 101, failed: 0, deferred: 0 });
    },
  );

  it("and then answers again goes on being asked", async () => {
    const unlucky = symbols.filter((_, index) => index % 8 !== 7).map((symbol) => `${symbol}.AX`);
    const { fetch } = setUp({ bars }, failing(403, ...unlucky));
    expect((await fetch({ symbols, batchNumber: 0, date: DAY })).counts).toMatchObject({ fetched: 12, deferred: 0 });
  });
});

describe("a batch of which every symbol failed", () => {
  it("for a transient reason is an error that the workflow retries, and stores nothing", async () => {
    const { fetch, runtime } = setUp({ bars: {} }, async () => ({ status: 503, contentType: "text/html", body: "" }));
    await expect(fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY })).rejects.toThrow(BatchFailedError);
    expect([...runtime.store.objects.keys()]).toEqual([]);
  });

  it("for a reason that stays is a result that says so", async () => {
    const { fetch } = setUp({ bars: {} }, async () => ({ status: 403, contentType: "text/html", body: "" }));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result).toMatchObject({ rows: 0, counts: { failed: 2 } });
  });
});

describe("running a batch again", () => {
  it("asks only for what has no final outcome, and keeps every stored bar as it was", async () => {
    const down = new Set(["CBA.AX"]);
    const { fetch, runtime, paths } = setUp(
      { bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: {} } },
      async (answer, { ticker }) =>
        ticker !== undefined && down.has(ticker) ? { status: 503, contentType: "text/plain", body: "" } : answer,
    );
    const event = { symbols: ["BHP", "CBA", "NAB", "XYZ"], batchNumber: 0, date: DAY };
    await fetch(event);
    const [first] = (await storedFile(runtime, KEY)).bars;
    down.clear();
    paths.length = 0;
    runtime.clock.set("2024-06-01T09:00:00+10:00");
    const result = await fetch(event);

    expect(paths).toEqual(["/v8/finance/chart/CBA.AX"]);
    expect(result.counts).toEqual({ fetched: 2, noTrade: 1, notFound: 1, invalid: 0, failed: 0, deferred: 0 });
    const { bars, reports } = await storedFile(runtime, KEY);
    expect(bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
    expect(bars[0]).toEqual(first);
    expect(reports.map(({ symbol }) => symbol)).toEqual(["NAB", "XYZ"]);
  });

  it.each([
    ["400 Bad Request", 400, "Bad Request"],
    ["404 Not Found", 404, "Not Found"],
  ])("asks a batch without a single bar once more: %s for every symbol is an outage", async (_, status, code) => {
    let down = true;
    const { fetch } = setUp({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} } } }, async (answer) =>
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
    const { fetch } = setUp({ bars }, failing(422, ...bad.map((symbol) => `${symbol}.AX`)));
    const event = { symbols: ["AAA", ...bad, ...good], batchNumber: 0, date: DAY };
    await fetch(event);
    expect((await fetch(event)).counts.fetched).toBe(4);
  });

  it("with nothing left to do neither asks nor writes", async () => {
    const { fetch, runtime, paths } = setUp({ bars: { BHP: { [DAY]: {} } } });
    const event = { symbols: ["BHP", "XYZ"], batchNumber: 0, date: DAY };
    const before = await fetch(event);
    const puts = runtime.store.calls.filter((call) => call.startsWith("put")).length;
    const after = await fetch(event);
    expect(paths).toHaveLength(2);
    expect(runtime.store.calls.filter((call) => call.startsWith("put"))).toHaveLength(puts);
    expect(after).toEqual({ ...before, durationMs: expect.any(Number) });
  });

  it("while the upstream is down loses no stored bar", async () => {
    let down = false;
    const { fetch, runtime } = setUp({ bars: { BHP: { [DAY]: {} } } }, async (answer) =>
      down ? { status: 503, contentType: "text/plain", body: "" } : answer,
    );
    await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY });
    down = true;
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(result.counts).toMatchObject({ fetched: 1, failed: 1 });
    expect((await storedFile(runtime, KEY)).bars.map(({ symbol }) => symbol)).toEqual(["BHP"]);
  });

  it("cut into other batches stores no bar twice and drops none", async () => {
    const { fetch, runtime, paths } = setUp({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: { [DAY]: {} } } });
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    await fetch({ symbols: ["NAB"], batchNumber: 1, date: DAY });
    const first = await fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY });
    const second = await fetch({ symbols: ["CBA", "NAB"], batchNumber: 1, date: DAY });

    expect(paths).toHaveLength(3);
    expect([first.counts.fetched, second.counts.fetched]).toEqual([1, 2]);
    expect([first.rows, second.rows]).toEqual([2, 1]);
    const stored = await Promise.all(
      [0, 1].map((batch) => storedFile(runtime, `raw-data/${DAY}-batch-${batch}.parquet`)),
    );
    expect(stored.flatMap(({ bars }) => bars.map(({ symbol }) => symbol))).toEqual(["BHP", "CBA", "NAB"]);
  });

  it("over a damaged file stops, names it and leaves it as it is", async () => {
    const { fetch, runtime } = setUp({ bars: { BHP: { [DAY]: {} } } });
    const damaged = new TextEncoder().encode("PAR1 no more");
    await runtime.store.put(KEY, damaged);
    await expect(fetch({ symbols: ["BHP"], batchNumber: 0, date: DAY })).rejects.toThrow(StoredFileError);
    expect(runtime.store.objects.get(KEY)).toEqual(damaged);
  });
});

describe("a batch whose time runs out", () => {
  const MARKET = {
    bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: { [DAY]: {} }, RIO: { [DAY]: {} }, WOW: { [DAY]: {} } },
  };
  const SYMBOLS = ["BHP", "CBA", "NAB", "RIO", "WOW"];

  it("stores what it has, defers the rest, and goes on from there when it is run again", async () => {
    const { fetchUntil, fetch, runtime, paths } = setUp(MARKET, async (answer) => {
      await runtime.clock.sleep(60_000); // an upstream that takes its time
      return answer;
    });
    const endsAt = runtime.clock.now() + 300_000 + 90_000;
    const result = await fetchUntil({ symbols: SYMBOLS, batchNumber: 0, date: DAY }, endsAt);
    expect(result.counts).toMatchObject({ fetched: 2, deferred: 3 });
    const reason = "not tried: the time was running out";
    expect(result.unfinished).toEqual(["NAB", "RIO", "WOW"].map((symbol) => ({ symbol, outcome: "deferred", reason })));
    expect((await storedFile(runtime, KEY)).bars).toHaveLength(2);

    paths.length = 0;
    expect((await fetch({ symbols: SYMBOLS, batchNumber: 0, date: DAY })).counts).toMatchObject({ fetched: 5 });
    expect(paths).toHaveLength(3);
  });

  it("that has none left from the start asks nothing and can be tried again", async () => {
    const { fetchUntil, runtime, paths } = setUp(MARKET);
    const failing = fetchUntil({ symbols: SYMBOLS, batchNumber: 0, date: DAY }, runtime.clock.now() + 1_000);
    await expect(failing).rejects.toThrow(BatchFailedError);
    expect(paths).toEqual([]);
  });
});

describe("a batch that another writer stores at the same time", () => {
  /** Runs `meanwhile` just before the batch writes for the first time. */
  function interrupt(runtime: TestRuntime, meanwhile: () => Promise<unknown>): void {
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
    const { fetch, runtime } = setUp({ bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: { [DAY]: {} } } });
    interrupt(runtime, () => fetch({ symbols: ["CBA", "NAB"], batchNumber: 0, date: DAY }));
    const result = await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    const file = await storedFile(runtime, KEY);
    expect(file.bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA", "NAB"]);
    expect(result).toMatchObject({ rows: 3, bytes: runtime.store.objects.get(KEY)?.length });
  });

  it("takes the bar and the final outcome that the other found, rather than its own failure", async () => {
    let isDown = true;
    const { fetch, runtime } = setUp(
      { bars: { BHP: { [DAY]: {} }, CBA: { [DAY]: {} }, NAB: {} } },
      async (answer, { ticker }) =>
        isDown && ticker !== undefined && ticker !== "BHP.AX"
          ? { status: 503, contentType: "text/plain", body: "" }
          : answer,
    );
    interrupt(runtime, () => {
      isDown = false;
      return fetch({ symbols: ["CBA", "NAB"], batchNumber: 0, date: DAY });
    });
    await fetch({ symbols: ["BHP", "CBA", "NAB"], batchNumber: 0, date: DAY });
    const file = await storedFile(runtime, KEY);
    expect(file.bars.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
    expect(file.reports).toEqual([{ symbol: "NAB", outcome: "noTrade" }]);
  });

  it("gives up after eight tries, transiently, and writes nothing", async () => {
    const { fetch, runtime } = setUp({ bars: { BHP: { [DAY]: {} } } });
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
  it("is shared out: workers that start together take turns", async () => {
    const waits: number[] = [];
    for (const batchNumber of [0, 1, 4, 5, 14]) {
      const { fetchAt, runtime } = setUp({ bars: { BHP: { [DAY]: {} } } });
      await fetchAt({ symbols: ["BHP"], batchNumber, date: DAY, concurrentBatches: 5 }, 2);
      waits.push(runtime.clock.slept[0] ?? Number.NaN);
    }
    expect(waits).toEqual([0, 500, 2000, 0, 2000]);
  });

  it.each([
    [503, 0],
    [429, 5],
  ])("counts every request, retries included, and after HTTP %i %i as rate limited", async (status, rateLimited) => {
    const { fetch, runtime } = setUp({ bars: { BHP: { [DAY]: {} } } }, failing(status, "CBA.AX"));
    await fetch({ symbols: ["BHP", "CBA"], batchNumber: 0, date: DAY });
    expect(Object.fromEntries(runtime.measured)).toEqual({
      symbolsAsked: 2,
      upstreamRequests: 6,
      upstreamRetries: 4,
      upstreamRateLimited: rateLimited,
      batchDuration: expect.any(Number),
    });
  });
});
