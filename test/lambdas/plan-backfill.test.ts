import { describe, expect, it } from "vitest";
import type { BackfillEvent, BackfillRecord, HistoryBatchResult, RecordedReport } from "../../domain/backfill.ts";
import { countOutcomes, NOTHING_ASKED } from "../../domain/batch.ts";
import type { DateSpan } from "../../domain/date-span.ts";
import { InvalidInputError, StoredFileError } from "../../domain/errors.ts";
import { backfillKey, backfillLockKey, historyKey, pendingKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { encodeHistoryFile } from "../../lambdas/runtime/history-file-writer.ts";
import type { Environment } from "../../lambdas/runtime/runtime.ts";
import { parseSymbolUpdaterEnvironment } from "../../lambdas/symbol-updater/env.ts";
import { createSymbolUpdater } from "../../lambdas/symbol-updater/handler.ts";
import { planBackfill, splitHistory } from "../../lambdas/symbol-updater/plan-backfill.ts";
import { sha256 } from "../../stores/sha256.ts";
import { plainBar } from "../support/test-fetcher.ts";
import { createTestRuntime } from "../support/test-runtime.ts";

const SPAN: DateSpan = { from: "2024-05-27", to: "2024-05-31" };
const NONE = { bars: 0, first: null, last: null, leftOut: 0 };

function setUp(symbols: readonly string[], environment: Environment = {}) {
  const header = "ASX code,Company name,GICs industry group,Listing date,Market Cap";
  const file = [header, ...symbols.map((code) => `${code},${code},Banks,01/02/2003,5`)].join("\n");
  const answers = { status: 200, asked: 0 };
  const runtime = createTestRuntime({
    fetch: async () => {
      answers.asked += 1;
      return new Response(file, { status: answers.status });
    },
  });
  const addresses = { ASX_DIRECTORY_URL: "https://current.test/file", ASX_OLDER_DIRECTORY_URL: "https://older.test/f" };
  const settings = { ...addresses, ...environment };
  const config = parseSymbolUpdaterEnvironment(settings);
  const calendar = createTradingCalendar(config.marketClosures);
  const { store } = runtime;
  /** Stores a file of a backfill: symbols with a bar, and symbols without. */
  async function storeFile(
    span: DateSpan,
    batchNumber: number,
    fetched: readonly string[],
    without: readonly string[],
  ) {
    const bars = fetched.map((symbol) => plainBar(symbol, span.to, batchNumber));
    const ofBars = fetched.map((symbol): RecordedReport => {
      return { ...NONE, symbol, outcome: "fetched", bars: 1, first: span.to, last: span.to };
    });
    const reports = [...ofBars, ...without.map((symbol): RecordedReport => ({ ...NONE, symbol, outcome: "notFound" }))];
    const bytes = await encodeHistoryFile({ bars, reports, source: "stand-in" });
    const key = historyKey({ ...span, batchNumber });
    await store.put(key, bytes);
    const entry = { batchNumber, key, rows: bars.length, bytes: bytes.length, sha256: sha256(bytes) };
    return { entry, outcomes: reports.map((report): RecordedReport => ({ ...report, batchNumber })) };
  }
  async function storeRecord(
    span: DateSpan,
    files: readonly Awaited<ReturnType<typeof storeFile>>[],
    unfinished: readonly RecordedReport[] = [],
  ) {
    const outcomes = [...files.flatMap((stored) => stored.outcomes), ...unfinished];
    const record: BackfillRecord = {
      ...{ version: 1, ...span, status: "partial", source: "stand-in", upstream: NOTHING_ASKED },
      ...{ startedAt: "2024-05-31T09:30:00Z", finishedAt: "2024-05-31T09:40:00Z" },
      symbols: { total: outcomes.length, s3Key: null, source: "asx-directory", warnings: [] },
      counts: countOutcomes(outcomes),
      ...{ rows: 0, leftOut: 0, days: {}, batches: files.map(({ entry }) => entry), outcomes },
    };
    await store.put(backfillKey(span), new TextEncoder().encode(JSON.stringify(record)));
  }
  return {
    ...{ answers, runtime, store, storeFile, storeRecord },
    handle: createSymbolUpdater(settings, runtime),
    plan: (event: Partial<BackfillEvent> = {}) =>
      planBackfill({ backfill: SPAN, ...event }, { config, calendar, runtime }),
  };
}

function codes(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `C${String(index).padStart(4, "0")}`);
}

describe("the plan of a backfill", () => {
  it("cuts the directory's symbols into batches, and gives each lane their positions", async () => {
    const { handle, store } = setUp(["CBA", "BHP", "ANZ"], { BATCH_SIZE: "2", MAX_CONCURRENCY: "5" });
    const run = { id: "execution-1" };
    expect(await handle({ backfill: SPAN, run })).toEqual({
      backfill: SPAN,
      symbolBatches: [
        { symbols: ["ANZ", "BHP"], batchNumber: 0 },
        { symbols: ["CBA"], batchNumber: 1 },
      ],
      lanes: [[0], [1]],
      run: { id: "execution-1", attempt: 1, upstream: NOTHING_ASKED },
      metadata: {
        ...{ sessions: 5, totalSymbols: 3, finished: 0, source: "asx-directory", warnings: [] },
        s3Key: "symbols/2024-05-31-symbols.csv",
      },
    });
    expect(store.objects.has(backfillLockKey(SPAN))).toBe(true);
  });

  it.each([
    ["begins before the calendar", { from: "1996-12-31", to: "2024-05-31" }, "begins on 1996-12-31"],
    ["ends after the last finished session", { from: "2024-05-27", to: "2024-06-03" }, "ends on 2024-06-03"],
    ["has no session", { from: "2024-05-25", to: "2024-05-26" }, "has no session in 2024-05-25_2024-05-26"],
  ])("of a span that %s is refused", async (_, backfill, message) => {
    const { plan, runtime } = setUp(["BHP"]);
    await expect(plan({ backfill })).rejects.toThrow(InvalidInputError);
    await expect(plan({ backfill })).rejects.toThrow(message);
    expect(runtime.store.calls).toEqual([]);
  });

  it("of symbols that were named asks for no directory and stores no list", async () => {
    const { answers, plan, store } = setUp([]);
    answers.status = 500;
    const { symbolBatches, metadata } = await plan({ symbols: ["CBA", "BHP", "CBA"] });
    expect(symbolBatches).toEqual([{ symbols: ["CBA", "BHP"], batchNumber: 0 }]);
    expect(metadata).toMatchObject({ source: "event", s3Key: null, totalSymbols: 2 });
    expect([...store.objects.keys()]).toEqual([]);
  });

  it("takes the extra symbols along, as a day's run does", async () => {
    const { plan } = setUp(["BHP"], { EXTRA_SYMBOLS: "VAS" });
    expect((await plan()).symbolBatches[0]?.symbols).toEqual(["BHP", "VAS"]);
  });

  it("that fails lets the next run have the backfill; one that is under way keeps it", async () => {
    const { answers, handle } = setUp(["BHP"]);
    answers.status = 404;
    await expect(handle({ backfill: SPAN, run: { id: "one" } })).rejects.toThrow("no directory from current.test");
    answers.status = 200;
    await handle({ backfill: SPAN, run: { id: "two" } });
    await expect(handle({ backfill: SPAN, run: { id: "three" } })).rejects.toThrow("is being run by the execution two");
    await expect(handle({ backfill: SPAN, run: { id: "two" } })).resolves.toBeDefined();
  });
});

describe("the plan of a backfill that has begun", () => {
  it("leaves out what its record has, and numbers its batches on", async () => {
    const { plan, storeFile, storeRecord } = setUp(["ANZ", "BHP", "CBA", "NAB"]);
    const failed: RecordedReport = { ...NONE, symbol: "NAB", outcome: "failed", reason: "HTTP 503" };
    await storeRecord(SPAN, [await storeFile(SPAN, 6, ["BHP"], ["ANZ"])], [failed]);
    const { symbolBatches, metadata } = await plan();
    expect(symbolBatches).toEqual([{ symbols: ["CBA", "NAB"], batchNumber: 7 }]);
    expect(metadata).toMatchObject({ totalSymbols: 4, finished: 2 });
  });

  it("leaves out what stored files have that no record names", async () => {
    const { plan, storeFile } = setUp(["ANZ", "BHP", "CBA"]);
    await storeFile(SPAN, 3, ["BHP"], ["ANZ"]);
    expect((await plan()).symbolBatches).toEqual([{ symbols: ["CBA"], batchNumber: 4 }]);
  });

  it("leaves out symbols without a bar as well, be their file named or not", async () => {
    const { plan, storeFile, storeRecord } = setUp(["ANZ", "BHP", "CBA"]);
    await storeRecord(SPAN, [await storeFile(SPAN, 0, [], ["ANZ"]), await storeFile(SPAN, 1, ["BHP"], [])]);
    await storeFile(SPAN, 2, [], ["CBA"]);
    expect((await plan()).symbolBatches).toEqual([]);
  });

  it("asks again for symbols whose answers are doubted, whichever file says the same", async () => {
    const { plan, storeFile, storeRecord } = setUp(["ANZ", "BHP", "CBA"]);
    const doubted: RecordedReport = { ...NONE, symbol: "ANZ", outcome: "failed", doubtedSince: "2024-05-31T09:40:00Z" };
    await storeRecord(SPAN, [await storeFile(SPAN, 1, ["BHP"], [])], [doubted]);
    await storeFile(SPAN, 2, [], ["ANZ", "CBA"]);
    expect((await plan()).symbolBatches).toEqual([{ symbols: ["ANZ"], batchNumber: 3 }]);
  });

  it("asks again for the symbols of a named file that is gone, those that the list has no more with them, and says so", async () => {
    const { plan, storeFile, storeRecord, store } = setUp(["BHP", "CBA"]);
    const gone = await storeFile(SPAN, 0, ["CBA", "OLD"], []);
    await storeRecord(SPAN, [gone, await storeFile(SPAN, 1, ["BHP"], [])]);
    await store.remove(gone.entry.key);
    const { symbolBatches, metadata } = await plan();
    expect(symbolBatches).toEqual([{ symbols: ["CBA", "OLD"], batchNumber: 2 }]);
    expect(metadata).toMatchObject({
      ...{ totalSymbols: 3, finished: 1 },
      warnings: [`${gone.entry.key} is gone: the symbols are asked for again`],
    });
    expect((await plan({ symbols: ["BHP"] })).symbolBatches).toEqual([]);
  });

  it("refuses a named file of another size before any request, and gives the lock back", async () => {
    const { plan, storeFile, storeRecord, store, answers } = setUp(["BHP"]);
    const { entry, outcomes } = await storeFile(SPAN, 0, ["BHP"], []);
    await storeRecord(SPAN, [{ entry: { ...entry, bytes: entry.bytes + 1 }, outcomes }]);
    const run = { attempt: 1, upstream: NOTHING_ASKED };
    await expect(plan({ run: { ...run, id: "one" } })).rejects.toThrow(StoredFileError);
    await expect(plan({ run: { ...run, id: "two" } })).rejects.toThrow(
      `${entry.key} has ${entry.bytes} bytes, but the backfill's record names ${entry.bytes + 1}; restore it, or delete it`,
    );
    expect(answers.asked).toBe(0);
    await store.remove(entry.key);
    expect((await plan({ run: { ...run, id: "three" } })).symbolBatches).toHaveLength(1);
  });

  it("asks again for what a file has besides bars that are stored twice: such a file is not read", async () => {
    const { plan, storeFile, storeRecord } = setUp(["ANZ", "BHP", "CBA", "NAB"]);
    await storeRecord(SPAN, [await storeFile(SPAN, 0, ["BHP"], [])]);
    await storeFile(SPAN, 1, ["ANZ", "BHP"], ["CBA"]);
    await storeFile(SPAN, 2, ["CBA", "NAB"], []);
    expect((await plan()).symbolBatches).toEqual([{ symbols: ["ANZ"], batchNumber: 3 }]);
  });

  it("takes along what is pending of symbols that the list has no more", async () => {
    const { plan, storeFile, store } = setUp(["BHP", "CBA"]);
    await storeFile(SPAN, 0, ["BHP"], ["XYZ"]);
    for (const symbol of ["CBA", "OLD", "XYZ"]) await store.put(pendingKey({ ...SPAN, symbol }), new Uint8Array([1]));
    expect((await plan()).symbolBatches).toEqual([{ symbols: ["CBA", "OLD"], batchNumber: 1 }]);
    expect((await plan({ symbols: ["CBA"] })).symbolBatches).toEqual([{ symbols: ["CBA"], batchNumber: 1 }]);
  });

  it("keeps what an earlier round of its run left, though the list has it no more", async () => {
    const { plan, storeFile, storeRecord } = setUp(["BHP"]);
    const failed = { ...NONE, outcome: "failed" as const };
    const left: RecordedReport[] = [
      { ...failed, symbol: "OLD" },
      { ...failed, symbol: "TYP", byName: true },
    ];
    await storeRecord(SPAN, [await storeFile(SPAN, 0, ["BHP"], [])], left);
    const run = { id: "one", upstream: NOTHING_ASKED };
    expect((await plan({ run: { ...run, attempt: 1 } })).symbolBatches).toEqual([]);
    expect((await plan({ run: { ...run, attempt: 2 } })).symbolBatches).toEqual([{ symbols: ["OLD"], batchNumber: 1 }]);
  });

  it("leaves out what a backfill of a longer span has, and not what one of a shorter has", async () => {
    const { plan, storeFile, storeRecord } = setUp(["ANZ", "BHP", "CBA"]);
    const longer = { from: "2024-05-01", to: "2024-05-31" };
    const shorter = { from: "2024-05-28", to: "2024-05-31" };
    await storeRecord(longer, [await storeFile(longer, 9, ["BHP"], [])]);
    await storeRecord(shorter, [await storeFile(shorter, 0, ["CBA"], [])]);
    expect((await plan()).symbolBatches).toEqual([{ symbols: ["ANZ", "CBA"], batchNumber: 0 }]);
  });

  it("has nothing to fetch where every symbol stands", async () => {
    const { plan, storeFile } = setUp(["BHP"]);
    await storeFile(SPAN, 0, ["BHP"], []);
    expect(await plan()).toMatchObject({ symbolBatches: [], lanes: [], metadata: { finished: 1 } });
  });
});

describe("the batches of a backfill", () => {
  it.each([
    ["a week of a few symbols", 250, 5, 100, 100],
    ["ten years of the market", 2_000, 2_530, 100, 15],
    ["ten years of a larger market", 5_000, 2_530, 100, 34],
    ["all years of the market", 2_000, 7_400, 100, 14],
    ["all years of few symbols", 100, 7_400, 100, 5],
    ["a small batch size", 2_000, 2_530, 4, 4],
  ])("of %s: %i symbols, %i sessions, at most %i a batch: %i", (_, count, sessions, batchSize, expected) => {
    const batches = splitHistory(codes(count), { sessions, batchSize, first: 0 });
    expect(batches[0]?.symbols).toHaveLength(expected);
    expect(batches.flatMap(({ symbols }) => symbols)).toEqual(codes(count));
  });

  it("of 5,000 symbols and ten years make a plan of 45 kB, of 98 kB with its results, of 180 kB with all at their longest", async () => {
    const { plan } = setUp(codes(5_000));
    const decade = await plan({ backfill: { from: "2014-05-30", to: "2024-05-31" } });
    const message = JSON.stringify(decade);
    const text = "x".repeat(120);
    const worst = decade.symbolBatches.map(({ batchNumber, symbols }): HistoryBatchResult => {
      return {
        ...{ batchNumber, rows: 63_250, sha256: "f".repeat(64), durationMs: 899_999, deferred: symbols },
        counts: { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 12, deferred: symbols.length },
        unfinished: [{ symbol: "C0000", outcome: "deferred", reason: text.slice(0, 80) }],
        upstream: { requests: 150, retries: 125, rateLimited: 125, breakerOpenings: 1, waitedMs: 899_999 },
        stopped: { by: "unknown-symbols", reason: text },
      };
    });
    const usual = worst.map((result): HistoryBatchResult => {
      return { ...result, counts: { ...result.counts, fetched: 34 }, unfinished: [], deferred: [], stopped: null };
    });
    const lengths = [usual, worst].map((results) => JSON.stringify({ ...decade, results }).length);
    expect([message.length, ...lengths].map((length) => Math.round(length / 1_000))).toEqual([45, 98, 180]);
  });
});
