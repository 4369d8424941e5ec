import { describe, expect, it } from "vitest";
import type {
  BackfillDigest,
  BackfillSummaryEvent,
  HistoryBatchResult,
  HistoryReport,
  RecordedReport,
} from "../../domain/backfill.ts";
import { countOutcomes, type LostBatch, NOTHING_ASKED, type WorkflowRun } from "../../domain/batch.ts";
import { RunUnderWayError, StoreConflictError, StoredFileError } from "../../domain/errors.ts";
import { backfillKey, backfillLockKey, historyKey, pendingKey } from "../../domain/object-keys.ts";
import { createRunSummary } from "../../lambdas/run-summary/handler.ts";
import { summariseBackfill } from "../../lambdas/run-summary/summarise-backfill.ts";
import { encodeHistoryFile } from "../../lambdas/runtime/history-file-writer.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { sha256 } from "../../stores/sha256.ts";
import { lost } from "../support/fetched-run.ts";
import { barsOfBackfill, recordOf } from "../support/history-contents.ts";
import { plainBar } from "../support/test-fetcher.ts";
import { createTestRuntime } from "../support/test-runtime.ts";

const SPAN = { from: "2024-05-27", to: "2024-05-31" };
const NAME = "2024-05-27_2024-05-31";
const DATES = ["2024-05-27", "2024-05-29"];
const NONE = { bars: 0, first: null, last: null, leftOut: 0 };
const RUN: WorkflowRun = { id: "one", attempt: 1, upstream: NOTHING_ASKED };
const LISTED = { sessions: 5, finished: 0, s3Key: "symbols/2024-05-31-symbols.csv", warnings: [] };

/** What a batch is asked for, and what its fetcher returned. */
interface Fetched {
  readonly symbols: readonly string[];
  readonly result: HistoryBatchResult | LostBatch;
}

function setUp() {
  const runtime = createTestRuntime();
  const { store } = runtime;
  /** Stores a batch's file as its fetcher would: symbols with bars on two dates, and others. */
  async function fetched(
    batchNumber: number,
    withBars: readonly string[],
    others: Readonly<Record<string, "notFound" | "noTrade" | "failed" | "deferred">> = {},
    source = "stand-in",
  ): Promise<Fetched> {
    const bars = withBars.flatMap((symbol) => DATES.map((date) => plainBar(symbol, date, batchNumber)));
    const unfinished = Object.entries(others).filter(([, outcome]) => outcome === "failed" || outcome === "deferred");
    const without = Object.entries(others)
      .filter(([, outcome]) => outcome === "notFound" || outcome === "noTrade")
      .map(([symbol, outcome]): HistoryReport => ({ ...NONE, symbol, outcome }));
    const reports = [...withBars.map(fetchedOf), ...without];
    const bytes = await encodeHistoryFile({ bars, reports, source });
    if (reports.length > 0) await store.put(historyKey({ ...SPAN, batchNumber }), bytes);
    const result: HistoryBatchResult = {
      ...{ batchNumber, rows: bars.length, sha256: reports.length > 0 ? sha256(bytes) : null, durationMs: 1_000 },
      counts: countOutcomes([...reports, ...unfinished.map(([, outcome]) => ({ outcome }))]),
      deferred: unfinished.filter(([, outcome]) => outcome === "deferred").map(([symbol]) => symbol),
      unfinished: unfinished
        .slice(0, 1)
        .map(([symbol, outcome]) => ({ symbol, outcome, reason: `${symbol} had trouble` })),
      upstream: { ...NOTHING_ASKED, requests: 10 },
      stopped: null,
    };
    return { symbols: [...withBars, ...Object.keys(others)], result };
  }
  async function summarise(
    batches: readonly Fetched[],
    { finished = 0, source = "asx-directory", ...values }: Partial<BackfillSummaryEvent> & Partial<Metadata> = {},
  ): Promise<BackfillDigest> {
    return summariseBackfill(
      {
        ...{ backfill: SPAN, startedAt: "2024-05-31T09:00:00.000Z" },
        symbolBatches: batches.map(({ symbols, result }) => ({
          symbols: [...symbols],
          batchNumber: result.batchNumber,
        })),
        metadata: {
          ...LISTED,
          totalSymbols: batches.flatMap(({ symbols }) => symbols).length + finished,
          finished,
          source,
        },
        results: batches.map(({ result }) => [result]),
        ...values,
      },
      { runtime },
    );
  }
  return { runtime, store, fetched, summarise, record: () => recordOf(store, SPAN) };
}

type Metadata = Pick<BackfillSummaryEvent["metadata"], "finished" | "source">;

function fetchedOf(symbol: string): HistoryReport {
  return { symbol, outcome: "fetched", bars: 2, first: "2024-05-27", last: "2024-05-29", leftOut: 0 };
}

function without(symbol: string, outcome: RecordedReport["outcome"], reason?: string): RecordedReport {
  return { ...NONE, symbol, outcome, ...(reason !== undefined && { reason }) };
}

describe("the record of a backfill", () => {
  it("names the files, counts bars by date and has one outcome for every symbol", async () => {
    const { fetched, summarise, record, store } = setUp();
    const digest = await summarise([await fetched(0, ["CBA", "BHP"], { XYZ: "notFound" }), await fetched(1, ["NAB"])]);
    expect(record()).toEqual({
      ...{ version: 1, ...SPAN, status: "complete", source: "stand-in", rows: 6, leftOut: 0, foundBars: true },
      ...{ startedAt: "2024-05-31T09:00:00.000Z", finishedAt: "2024-05-31T09:30:00.000Z" },
      upstream: { ...NOTHING_ASKED, requests: 20 },
      symbols: { total: 4, s3Key: LISTED.s3Key, source: "asx-directory", warnings: [] },
      counts: { fetched: 3, noTrade: 0, notFound: 1, invalid: 0, failed: 0, deferred: 0 },
      days: { "2024-05-27": 3, "2024-05-29": 3 },
      batches: [0, 1].map((batchNumber) => {
        const key = historyKey({ ...SPAN, batchNumber });
        const bytes = store.objects.get(key) ?? new Uint8Array();
        return { batchNumber, key, rows: batchNumber === 0 ? 4 : 2, bytes: bytes.length, sha256: sha256(bytes) };
      }),
      outcomes: [
        { ...fetchedOf("BHP"), batchNumber: 0 },
        { ...fetchedOf("CBA"), batchNumber: 0 },
        { ...fetchedOf("NAB"), batchNumber: 1 },
        { ...without("XYZ", "notFound"), batchNumber: 0 },
      ],
    });
    expect(digest).toEqual({
      ...{
        backfill: SPAN,
        status: "complete",
        storeUrl: "memory:",
        s3Key: backfillKey(SPAN),
        totalSymbols: 4,
        rows: 6,
      },
      ...{ counts: record().counts, redrive: null },
      message:
        "ASX backfill 2024-05-27 to 2024-05-31: complete. 3 of 4 symbols have bars, 6 in 2 files; 0 did not trade, 1 are " +
        "unknown to the provider, 0 invalid, 0 failed, 0 deferred. Details: memory:backfills/2024-05-27_2024-05-31.json",
    });
  });

  it("is added to: only files that it does not name are read", async () => {
    const { fetched, summarise, record, store } = setUp();
    await summarise([await fetched(0, ["BHP"], { CBA: "failed" })]);
    store.calls.length = 0;
    await summarise([await fetched(1, ["CBA"])], { finished: 1 });
    expect(store.calls.filter((call) => call.startsWith("get history/"))).toEqual([
      `get ${historyKey({ ...SPAN, batchNumber: 1 })}`,
    ]);
    expect(record()).toMatchObject({ status: "complete", rows: 4, days: { "2024-05-27": 2, "2024-05-29": 2 } });
    expect(await barsOfBackfill(store, SPAN)).toHaveLength(4);
  });

  it("takes over the files of a run that was killed before its summary", async () => {
    const { fetched, summarise, record } = setUp();
    await fetched(0, ["BHP"]);
    await summarise([await fetched(1, ["CBA"])], { finished: 1 });
    expect(record().outcomes).toEqual([
      { ...fetchedOf("BHP"), batchNumber: 0 },
      { ...fetchedOf("CBA"), batchNumber: 1 },
    ]);
  });

  it("is the same when it is written again, as its answer was lost", async () => {
    const { fetched, summarise, store, runtime } = setUp();
    await takeRunLock(store, NAME, { run: "one" }, { clock: runtime.clock, expiresAfterMs: 1_000 });
    const batches = [await fetched(0, ["BHP"], { CBA: "failed" })];
    const run = { ...RUN, attempt: 3 };
    const digest = await summarise(batches, { run });
    const before = store.objects.get(backfillKey(SPAN));
    expect(await summarise(batches, { run })).toEqual(digest);
    expect(store.objects.get(backfillKey(SPAN))).toEqual(before);
  });

  it("says of every unfinished symbol why", async () => {
    const { fetched, summarise, record } = setUp();
    const unread = await fetched(0, ["BHP"], { CBA: "failed", NAB: "failed", RIO: "deferred" });
    const blocked = await fetched(2, [], { WES: "deferred", WOW: "deferred" });
    const stopped = {
      ...blocked,
      result: { ...blocked.result, stopped: { by: "block" as const, reason: "HTTP 403" } },
    };
    await summarise([unread, { symbols: ["TLS"], result: lost(1, "Lambda.Unknown", "out of memory") }, stopped]);
    expect(record().status).toBe("partial");
    expect(record().outcomes.filter(({ outcome }) => outcome !== "fetched")).toEqual([
      without("CBA", "failed", "CBA had trouble"),
      without("NAB", "failed", "it failed in batch 0, whose log says why"),
      without("RIO", "deferred", "not tried: the time was running out"),
      without("TLS", "failed", "its batch was lost: Lambda.Unknown: out of memory"),
      without("WES", "deferred", "WES had trouble"),
      without("WOW", "deferred", "not tried: HTTP 403"),
    ]);
  });

  it("of a batch that was lost after it stored its file has what the file says", async () => {
    const { fetched, summarise, record } = setUp();
    const { symbols } = await fetched(0, ["BHP"]);
    await summarise([{ symbols, result: lost(0, "Sandbox.Timedout") }]);
    expect(record()).toMatchObject({ status: "complete", outcomes: [{ symbol: "BHP", outcome: "fetched" }] });
  });

  it("without a single bar has failed, and names no source where nothing is stored", async () => {
    const { fetched, summarise, record } = setUp();
    expect((await summarise([await fetched(0, [], { BHP: "failed" })])).status).toBe("failed");
    expect(record()).toMatchObject({ source: null, batches: [], rows: 0, days: {} });
    expect((await summarise([await fetched(0, [], { BHP: "notFound" })])).status).toBe("failed");
    expect(record()).toMatchObject({ source: "stand-in" });
  });

  it("of symbols that all stand in another backfill is complete without a file", async () => {
    const { summarise, record } = setUp();
    expect(await summarise([], { finished: 3 })).toMatchObject({ status: "complete", totalSymbols: 3, redrive: null });
    expect(record().outcomes).toEqual([]);
  });

  it("keeps where its list came from when symbols are named later", async () => {
    const { fetched, summarise, record } = setUp();
    await summarise([await fetched(0, ["BHP"])], { source: "event" });
    expect(record().symbols.source).toBe("event");
    await summarise([await fetched(1, ["CBA"], { NAB: "failed" })], { finished: 1 });
    expect(record().symbols.source).toBe("asx-directory");
    await summarise([await fetched(2, ["NEW"])], { source: "event" });
    expect(record().symbols).toMatchObject({ source: "asx-directory", s3Key: LISTED.s3Key });
    expect(record()).toMatchObject({ status: "partial", counts: { fetched: 3, failed: 1 } });
  });

  it("of the market stays whole where a symbol that was asked for by name alone fails, and its message tells of it", async () => {
    const { fetched, summarise, record } = setUp();
    await summarise([await fetched(0, ["BHP", "CBA"])]);
    const failed = { ...without("NEW", "failed", "NEW had trouble"), byName: true };
    for (const batchNumber of [1, 2]) {
      const digest = await summarise([await fetched(batchNumber, [], { NEW: "failed" })], { source: "event" });
      expect(digest).toMatchObject({ status: "partial", counts: { fetched: 2, failed: 1 } });
      expect(digest.message).toContain("unfinished, which says nothing of the market: NEW.");
      expect(record()).toMatchObject({ status: "complete", counts: { failed: 1 } });
      expect(record().outcomes.at(-1)).toEqual(failed);
    }
    await summarise([await fetched(3, ["NEW"])], { source: "event" });
    expect(record()).toMatchObject({ status: "complete", counts: { fetched: 3, failed: 0 } });
  });

  it("of the market is partial where a symbol of its list fails again when it is named, or the list has a named one", async () => {
    const { fetched, summarise, record } = setUp();
    await summarise([await fetched(0, ["BHP"], { CBA: "failed" })]);
    await summarise([await fetched(1, [], { CBA: "failed", NEW: "failed" })], { source: "event" });
    expect(record().outcomes.map(({ symbol, byName }) => [symbol, byName])).toEqual([
      ["BHP", undefined],
      ["CBA", undefined],
      ["NEW", true],
    ]);
    expect(record().status).toBe("partial");
    await summarise([await fetched(2, ["CBA"], { NEW: "failed" })], { finished: 1 });
    expect(record().status).toBe("partial");
    expect(record().outcomes.at(-1)).toEqual(without("NEW", "failed", "NEW had trouble"));
  });

  it("of doubted answers is the same when it is written again, as its answer was lost", async () => {
    const { fetched, summarise, store, runtime } = setUp();
    await takeRunLock(store, NAME, { run: "one" }, { clock: runtime.clock, expiresAfterMs: 1_000 });
    const unknown = { XXA: "notFound", XXB: "notFound", XXC: "notFound" } as const;
    const batches = [await fetched(0, ["BHP"], { XXA: "notFound" }), await fetched(1, [], unknown)];
    const digest = await summarise(batches, { run: RUN });
    expect(digest).toMatchObject({
      status: "partial",
      counts: { fetched: 1, failed: 3 },
      redrive: { waitSeconds: 120 },
    });
    const before = new TextDecoder().decode(store.objects.get(backfillKey(SPAN)));
    expect(await summarise(batches, { run: RUN })).toEqual(digest);
    expect(new TextDecoder().decode(store.objects.get(backfillKey(SPAN)))).toBe(before);
  });

  it("judges the files of a run that was killed as well, and has their symbols asked for again", async () => {
    const { fetched, summarise, store, runtime, record } = setUp();
    await takeRunLock(store, NAME, { run: "one" }, { clock: runtime.clock, expiresAfterMs: 1_000 });
    await fetched(0, ["BHP"], { XXA: "notFound", XXB: "notFound", XXC: "notFound" });
    const digest = await summarise([], { run: RUN, finished: 4 });
    expect(digest).toMatchObject({ status: "partial", redrive: { run: { attempt: 2 } } });
    expect(record()).toMatchObject({ rows: 2, batches: [{ batchNumber: 0 }], counts: { fetched: 1, failed: 3 } });
  });

  it("lets go of an unfinished symbol that a later plan of the list has no more", async () => {
    const { fetched, summarise, record } = setUp();
    await summarise([await fetched(0, ["BHP"], { GON: "failed" })]);
    await summarise([], { finished: 1 });
    expect(record()).toMatchObject({ status: "complete", outcomes: [{ symbol: "BHP" }] });
  });

  it("has bars of a symbol rather than an earlier answer without any", async () => {
    const { fetched, summarise, record } = setUp();
    await summarise([await fetched(0, [], { BHP: "notFound", XYZ: "notFound" }), await fetched(1, ["CBA"])]);
    await summarise([await fetched(2, ["BHP"], { XYZ: "notFound" })], { finished: 1 });
    expect(record().outcomes.map(({ symbol, outcome, batchNumber }) => [symbol, outcome, batchNumber])).toEqual([
      ["BHP", "fetched", 2],
      ["CBA", "fetched", 1],
      ["XYZ", "notFound", 0],
    ]);
  });

  it("of which a named file is gone reads the others again, and has its symbols as failed", async () => {
    const { fetched, summarise, record, store } = setUp();
    await summarise([await fetched(0, ["BHP"]), await fetched(1, ["CBA"])]);
    await store.remove(historyKey({ ...SPAN, batchNumber: 0 }));
    await summarise([], { finished: 1, source: "event" });
    expect(record()).toMatchObject({ status: "partial", rows: 2, days: { "2024-05-27": 1, "2024-05-29": 1 } });
    expect(record().outcomes).toEqual([
      without("BHP", "failed", `its file ${historyKey({ ...SPAN, batchNumber: 0 })} is gone`),
      { ...fetchedOf("CBA"), batchNumber: 1 },
    ]);
  });
});

describe("the summary of a backfill", () => {
  it("is told by the field backfill of the event", async () => {
    const { runtime, fetched, record } = setUp();
    const { result, symbols } = await fetched(0, ["BHP"]);
    const digest = await createRunSummary(
      {},
      runtime,
    )({
      ...{ backfill: SPAN, startedAt: "2024-05-31T19:00:00+10:00", results: [[result]] },
      symbolBatches: [{ symbols, batchNumber: 0 }],
      metadata: { ...LISTED, totalSymbols: 1, source: "asx-directory" },
    });
    expect(digest).toMatchObject({ status: "complete", rows: 2 });
    expect(record().startedAt).toBe("2024-05-31T09:00:00.000Z");
  });

  it("has what is unfinished fetched again after two minutes, then after ten, and then lets the backfill go", async () => {
    const { runtime, store, fetched, summarise, record } = setUp();
    await takeRunLock(store, NAME, { run: "one" }, { clock: runtime.clock, expiresAfterMs: 1_000_000 });
    const waits: unknown[] = [];
    let run: WorkflowRun | undefined = RUN;
    for (let round = 0; run !== undefined; round += 1) {
      const digest = await summarise([await fetched(round, [`AB${round}`], { CBA: "failed" })], {
        run,
        finished: round,
      });
      waits.push(digest.redrive?.waitSeconds);
      expect(runtime.measured.size > 0).toBe(digest.redrive === null);
      run = digest.redrive?.run;
    }
    expect(waits).toEqual([120, 600, undefined]);
    expect(record().upstream.requests).toBe(30);
    expect(new TextDecoder().decode(store.objects.get(backfillLockKey(SPAN)))).toContain('"releasedBy":"one"');
    expect(Object.fromEntries(runtime.measured)).toEqual({
      ...{ backfillPartial: 1, backfillDuration: 1_800_000, backfillBars: 6, backfillRowsLeftOut: 0 },
      ...{ backfillSymbolsFinished: 3, backfillSymbolsUnfinished: 1 },
    });
  });

  it.each(["block", "unknown-symbols"] as const)("ends the run where every batch was stopped by %s", async (by) => {
    const { fetched, summarise } = setUp();
    const { symbols, result } = await fetched(0, [], { BHP: "failed" });
    const stopped = { symbols, result: { ...result, stopped: { by, reason: "no use" } } };
    expect((await summarise([stopped])).redrive).toBeNull();
  });

  it("refuses a file that is not what its fetcher wrote, or is gone", async () => {
    const { fetched, summarise, store } = setUp();
    const batch = await fetched(0, ["BHP"]);
    await fetched(0, ["CBA"]);
    await expect(summarise([batch])).rejects.toThrow(StoredFileError);
    await store.remove(historyKey({ ...SPAN, batchNumber: 0 }));
    await expect(summarise([batch])).rejects.toThrow("is not stored, but its fetcher wrote 2");
    expect(store.objects.has(backfillKey(SPAN))).toBe(false);
  });

  it("does not name a file in which nothing is new, nor one with bars that are stored twice", async () => {
    const { fetched, summarise, record } = setUp();
    await fetched(0, ["BHP", "CBA"]);
    await fetched(1, ["CBA"]);
    await summarise([], { finished: 2 });
    expect(record()).toMatchObject({ rows: 4, batches: [{ batchNumber: 0 }] });
    await fetched(2, ["CBA", "NAB"]);
    await summarise([], { finished: 3 });
    const reason = `its file ${historyKey({ ...SPAN, batchNumber: 2 })} has bars of CBA too, which another file has: it is not read`;
    expect(record()).toMatchObject({ status: "partial", rows: 4, batches: [{ batchNumber: 0 }] });
    expect(record().outcomes.at(-1)).toEqual(without("NAB", "failed", reason));
    await summarise([await fetched(3, ["NAB"])], { finished: 2 });
    expect(record()).toMatchObject({ status: "complete", rows: 6, batches: [{ batchNumber: 0 }, { batchNumber: 3 }] });
  });

  it("refuses files of different sources", async () => {
    const { fetched, summarise } = setUp();
    await fetched(0, ["BHP"]);
    await fetched(1, ["CBA"], {}, "yahoo");
    await expect(summarise([], { finished: 2 })).rejects.toThrow("holds bars of another source");
  });

  it("removes what is pending of symbols that stand in a file, and nothing else", async () => {
    const { fetched, summarise, store } = setUp();
    const [left, needed] = ["BHP", "CBA"].map((symbol) => pendingKey({ ...SPAN, symbol }));
    for (const key of [left, needed]) await store.put(key ?? "", new Uint8Array([1]));
    await summarise([await fetched(0, ["BHP"], { CBA: "failed" })]);
    expect([...store.objects.keys()].filter((key) => key.startsWith("pending/"))).toEqual([needed]);
  });

  it("writes nothing where another run has the backfill, or has written its record meanwhile", async () => {
    const { runtime, fetched, summarise, store } = setUp();
    const batches = [await fetched(0, ["BHP"])];
    const { get } = store;
    store.get = async (key) => {
      store.objects.set(backfillKey(SPAN), new TextEncoder().encode("another"));
      return get(key);
    };
    await expect(summarise(batches)).rejects.toThrow(StoreConflictError);
    store.get = get;
    store.objects.delete(backfillKey(SPAN));
    await takeRunLock(store, NAME, { run: "two" }, { clock: runtime.clock, expiresAfterMs: 1_000_000 });
    await expect(summarise(batches, { run: RUN })).rejects.toThrow(RunUnderWayError);
    expect(store.objects.has(backfillKey(SPAN))).toBe(false);
  });
});
