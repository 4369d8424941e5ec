import { describe, expect, it } from "vitest";
import type { HistoryBatchEvent, HistoryBatchResult } from "../../domain/backfill.ts";
import { InvalidInputError, RunUnderWayError, StoreConflictError, StoreUnavailableError } from "../../domain/errors.ts";
import { backfillLockKey, historyKey, pendingFolder, pendingKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { fetchHistory } from "../../lambdas/batch-fetcher/fetch-history.ts";
import { createBatchFetcher } from "../../lambdas/batch-fetcher/handler.ts";
import { decodePending, encodePending } from "../../lambdas/batch-fetcher/pending-history.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { encodeHistoryFile } from "../../lambdas/runtime/history-file-writer.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { createSimulatedClock } from "../../sandbox/simulated-clock.ts";
import { readHistoryFacts } from "../../stores/history-file-reader.ts";
import { sha256 } from "../../stores/sha256.ts";
import { decodeHistory } from "../support/history-contents.ts";
import { fetchedReport, storeSummary } from "../support/stored-summary.ts";
import { failing, plainBar, withoutData } from "../support/test-fetcher.ts";
import { createSimulatedRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const SPAN = { from: "2024-05-27", to: "2024-05-31" };
const KEY = historyKey({ ...SPAN, batchNumber: 0 });
const NONE = { bars: 0, first: null, last: null, leftOut: 0 };
const TWO: TinyMarket = {
  bars: { BHP: { "2024-05-27": {}, "2024-05-31": { volume: 7 } }, CBA: { "2024-05-29": {} } },
  dividends: { BHP: [{ date: "2024-05-29", amount: 0.5 }] },
};

function setUp(tiny: TinyMarket = TWO, delivery?: Delivery) {
  const clock = createSimulatedClock(Date.parse(EVENING));
  const upstream = sandboxFetch(createTinyMarket(tiny), clock.now, delivery);
  const runtime = createSimulatedRuntime({ clock, fetch: upstream.fetch });
  const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch: upstream.fetch, clock });
  const calendar = createTradingCalendar();
  return {
    ...{ runtime, store: runtime.store, paths: upstream.paths },
    fetch: (event: Partial<HistoryBatchEvent> = {}, endsInMs?: number): Promise<HistoryBatchResult> =>
      clock.run(() =>
        fetchHistory(
          { backfill: SPAN, symbols: ["BHP", "CBA"], batchNumber: 0, ...event },
          {
            ...{ source, calendar, requestsPerSecond: null, runtime },
            ...(endsInMs !== undefined && { endsAt: clock.now() + endsInMs }),
          },
        ),
      ),
    file: () => runtime.store.objects.get(KEY) ?? new Uint8Array(),
  };
}

describe("a batch of a backfill", () => {
  it("asks once for each symbol, and stores one file with the bars and an outcome for each", async () => {
    const { fetch, file, paths, store } = setUp({ bars: { ...TWO.bars, NAB: {}, RIO: { "2024-05-28": { low: 20 } } } });
    const result = await fetch({ symbols: ["RIO", "CBA", "XYZ", "NAB", "BHP", "BHP"] });
    expect(paths.toSorted()).toEqual(
      ["BHP", "CBA", "NAB", "RIO", "XYZ"].map((symbol) => `/v8/finance/chart/${symbol}.AX`),
    );
    expect(result).toEqual({
      ...{ batchNumber: 0, rows: 3, sha256: sha256(file()), deferred: [], unfinished: [], stopped: null },
      counts: { fetched: 2, noTrade: 1, notFound: 1, invalid: 1, failed: 0, deferred: 0 },
      upstream: { requests: 5, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 },
      durationMs: expect.any(Number),
    });
    const facts = await readHistoryFacts(KEY, file());
    expect(facts.source).toBe("stand-in");
    expect(facts.reports).toEqual([
      { symbol: "BHP", outcome: "fetched", bars: 2, first: "2024-05-27", last: "2024-05-31", leftOut: 0 },
      { symbol: "CBA", outcome: "fetched", bars: 1, first: "2024-05-29", last: "2024-05-29", leftOut: 0 },
      { symbol: "NAB", outcome: "noTrade", ...NONE },
      {
        ...{ symbol: "RIO", outcome: "invalid", ...NONE, leftOut: 1 },
        reason: "1 row was left out: 2024-05-28: low 20 is above high 11",
      },
      { symbol: "XYZ", outcome: "notFound", ...NONE },
    ]);
    expect((await decodeHistory(file())).map(({ symbol, date, volume }) => [symbol, date, volume])).toEqual([
      ["BHP", "2024-05-27", 1000],
      ["BHP", "2024-05-31", 7],
      ["CBA", "2024-05-29", 1000],
    ]);
    expect(await store.list(pendingFolder(SPAN))).toEqual([]);
  });

  it("is told by the field backfill of the event", async () => {
    const { runtime } = setUp();
    const handle = createBatchFetcher({ YAHOO_URL: "http://sandbox", REQUESTS_PER_SECOND: "unlimited" }, runtime);
    const result = await runtime.clock.run(() => handle({ backfill: SPAN, symbols: ["BHP"], batchNumber: 3 }));
    expect(result).toMatchObject({ batchNumber: 3, rows: 2 });
    await expect(
      handle({ backfill: { from: SPAN.to, to: SPAN.from }, symbols: ["BHP"], batchNumber: 3 }),
    ).rejects.toThrow("expected the earlier date in from");
  });

  it("leaves a symbol that failed out of its file, and what was not tried", async () => {
    const { fetch, file } = setUp(TWO, failing(403, "CBA.AX"));
    const result = await fetch();
    expect(result).toMatchObject({ rows: 2, counts: { fetched: 1, failed: 1 }, deferred: [] });
    expect(result.unfinished).toEqual([{ symbol: "CBA", outcome: "failed", reason: "HTTP 403 after 1 attempt" }]);
    expect((await readHistoryFacts(KEY, file())).reports.map(({ symbol }) => symbol)).toEqual(["BHP"]);
  });

  it("that is blocked stores nothing and says which symbols were not tried", async () => {
    const symbols = ["BHP", "CBA", "NAB", "RIO", "WES"];
    const { fetch, store } = setUp(TWO, failing(403));
    const result = await fetch({ symbols });
    expect(result).toMatchObject({
      rows: 0,
      sha256: null,
      stopped: { by: "block" },
      counts: { failed: 3, deferred: 2 },
    });
    expect(result.deferred).toEqual(["RIO", "WES"]);
    expect([...store.objects.keys()]).toEqual([]);
  });

  it("begins no symbol in the last five minutes of its function", async () => {
    const { fetch, paths } = setUp();
    expect(await fetch({}, 299_000)).toMatchObject({ sha256: null, deferred: ["BHP", "CBA"] });
    expect(paths).toEqual([]);
  });

  it("does not believe that healthy symbols are gone in numbers, and keeps no such answer", async () => {
    const symbols = ["ANZ", "BHP", "CBA", "NAB", "RIO", "WES"];
    const bars = Object.fromEntries(symbols.map((symbol) => [symbol, { "2024-05-28": {} }]));
    const gone = ["ANZ.AX", "CBA.AX", "NAB.AX", "RIO.AX", "WES.AX"];
    const { fetch, store, file } = setUp({ bars }, withoutData(404, ...gone));
    await storeSummary(store, "2024-05-31", symbols.map(fetchedReport));
    const result = await fetch({ symbols });
    expect(result.stopped).toMatchObject({ by: "unknown-symbols" });
    expect(result.counts).toMatchObject({ fetched: 1, notFound: 0 });
    expect((await readHistoryFacts(KEY, file())).reports.map(({ symbol }) => symbol)).toEqual(["BHP"]);
    expect(await store.list(pendingFolder(SPAN))).toEqual([]);
  });

  it("of another source than the backfill's files is refused before anything is asked", async () => {
    const { fetch, store, paths } = setUp();
    const report = { symbol: "NAB", outcome: "fetched" as const, bars: 1, first: SPAN.to, last: SPAN.to, leftOut: 0 };
    const bytes = await encodeHistoryFile({ bars: [plainBar("NAB", SPAN.to, 9)], reports: [report], source: "yahoo" });
    await store.put(historyKey({ ...SPAN, batchNumber: 9 }), bytes);
    await expect(fetch()).rejects.toThrow(InvalidInputError);
    expect(paths).toEqual([]);
  });

  it("of which another run has the backfill asks for nothing", async () => {
    const { fetch, store, runtime, paths } = setUp();
    await takeRunLock(store, "2024-05-27_2024-05-31", { run: "two" }, { clock: runtime.clock, expiresAfterMs: 1_000 });
    const run = {
      id: "one",
      attempt: 1,
      upstream: { requests: 0, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 },
    };
    await expect(fetch({ run })).rejects.toThrow(RunUnderWayError);
    expect(paths).toEqual([]);
  });

  it("that another run takes over while it asks writes no file, and keeps what it fetched for that run", async () => {
    const { fetch, store, runtime } = setUp();
    const name = "2024-05-27_2024-05-31";
    const { clock } = runtime;
    await takeRunLock(store, name, { run: "one" }, { clock, expiresAfterMs: 1_000_000 });
    const { put } = store;
    store.put = async (key, bytes) => {
      const now = new Date(clock.now()).toISOString();
      const taken = { run: "two", takenAt: now, expiresAt: now, expiresAfterMs: 1_000 };
      store.objects.set(backfillLockKey(SPAN), new TextEncoder().encode(JSON.stringify(taken)));
      return put(key, bytes);
    };
    const upstream = { requests: 0, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 };
    await expect(fetch({ run: { id: "one", attempt: 1, upstream } })).rejects.toThrow(RunUnderWayError);
    expect(store.objects.has(KEY)).toBe(false);
    expect(await store.list(pendingFolder(SPAN))).toHaveLength(2);
  });
});

describe("a batch of a backfill that was killed", () => {
  /** Fetches everything, and dies before the file is written. */
  async function killed() {
    const first = setUp();
    const { replace } = first.store;
    first.store.replace = async () => Promise.reject(new StoreUnavailableError("killed"));
    await expect(first.fetch()).rejects.toThrow(StoreUnavailableError);
    first.store.replace = replace;
    first.paths.length = 0;
    return first;
  }

  it("asks for nothing again, and writes the bytes it would have written", async () => {
    const undisturbed = setUp();
    await undisturbed.fetch();
    const { fetch, file, paths, store } = await killed();
    expect((await store.list(pendingFolder(SPAN))).map(({ key }) => key)).toEqual([
      "pending/2024-05-27_2024-05-31/BHP.json.gz",
      "pending/2024-05-27_2024-05-31/CBA.json.gz",
    ]);
    await fetch();
    expect(paths).toEqual([]);
    expect(sha256(file())).toBe(sha256(undisturbed.file()));
    expect(await store.list(pendingFolder(SPAN))).toEqual([]);
  });

  it("in another batch has that batch's number in its bars", async () => {
    const { fetch, store } = await killed();
    await fetch({ batchNumber: 8 });
    const bars = await decodeHistory(store.objects.get(historyKey({ ...SPAN, batchNumber: 8 })) ?? new Uint8Array());
    expect(bars.map(({ batchNumber }) => batchNumber)).toEqual([8, 8, 8]);
  });

  it.each([
    ["damaged in one bit", (bytes: Uint8Array) => bytes.with(60, (bytes[60] ?? 0) ^ 1)],
    ["cut", (bytes: Uint8Array) => bytes.slice(0, 40)],
    ["no such object", () => new TextEncoder().encode("{}")],
    [
      "of another source",
      (bytes: Uint8Array) => {
        const { history } = decodePending(bytes, { ...SPAN, symbol: "BHP" }, 0);
        return encodePending(history, "yahoo");
      },
    ],
  ])("asks again for a symbol whose pending history is %s", async (_, change) => {
    const { fetch, paths, store, runtime } = await killed();
    const key = pendingKey({ ...SPAN, symbol: "BHP" });
    await store.put(key, change(store.objects.get(key) ?? new Uint8Array()));
    expect(await fetch()).toMatchObject({ rows: 3, counts: { fetched: 2 } });
    expect(paths).toEqual(["/v8/finance/chart/BHP.AX"]);
    expect(runtime.logs.some((line) => line.startsWith(`warn ${key} is `))).toBe(true);
  });

  it("keeps the dividends and splits of an answer, be they numbers or not", () => {
    const history = {
      report: { symbol: "BHP", outcome: "noTrade" as const, ...NONE },
      ...{ bars: [], answeredAt: 7 },
      dividends: new Map<string, unknown>([
        ["2024-05-29", 0.5],
        ["2024-05-30", Number.NaN],
      ]),
      splits: new Map<string, unknown>([["2024-05-31", 2]]),
    };
    const kept = decodePending(encodePending(history, "yahoo"), { ...SPAN, symbol: "BHP" }, 0);
    expect(kept).toEqual({
      source: "yahoo",
      history: {
        ...history,
        dividends: new Map<string, unknown>([
          ["2024-05-29", 0.5],
          ["2024-05-30", null],
        ]),
      },
    });
  });

  it("after it was stored tells of its file and asks for nothing", async () => {
    const { fetch, paths, store } = setUp(TWO, failing(403, "CBA.AX"));
    const first = await fetch();
    store.calls.length = 0;
    paths.length = 0;
    const again = await fetch();
    expect(again).toMatchObject({
      rows: 2,
      sha256: first.sha256,
      deferred: ["CBA"],
      counts: { fetched: 1, deferred: 1 },
    });
    expect(paths).toEqual([]);
    expect(store.calls.some((call) => call.startsWith("replace"))).toBe(false);
  });

  it("does not write over the file of another fetcher", async () => {
    const { fetch, store } = setUp();
    const { replace } = store;
    store.replace = async (key, bytes, version) => {
      if (key === KEY) await store.put(key, new Uint8Array([1, 2, 3]));
      return replace(key, bytes, version);
    };
    await expect(fetch()).rejects.toThrow(StoreConflictError);
    expect(store.objects.get(KEY)).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("stops asking when nothing can be kept", async () => {
    const symbols = Array.from({ length: 40 }, (_, index) => `S${index + 10}`);
    const bars = Object.fromEntries(symbols.map((symbol) => [symbol, { "2024-05-28": {} }]));
    const { fetch, store, paths } = setUp({ bars });
    store.put = async () => Promise.reject(new StoreUnavailableError("the disk is full"));
    await expect(fetch({ symbols })).rejects.toThrow("the disk is full");
    expect(paths.length).toBeLessThan(10);
  });
});
