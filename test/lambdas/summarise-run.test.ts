import { describe, expect, it } from "vitest";
import type { Bar } from "../../domain/bar.ts";
import { type BatchResult, countOutcomes, type LostBatch, type SymbolReport } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import type { RunSummaryEvent } from "../../domain/run-summary.ts";
import { summariseRun } from "../../lambdas/run-summary/summarise-run.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import { sha256 } from "../../stores/sha256.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const KEY = `runs/${DAY}.json`;

function bar(symbol: string, batchNumber: number): Bar {
  const prices = { open: 1, high: 1, low: 1, close: 1, adjustedClose: 1 };
  return { symbol, date: DAY, ...prices, volume: 1, dividend: null, splitRatio: null, fetchTimestamp: 0, batchNumber };
}

/** Stores a batch as its fetcher would, and gives the fetcher's result. */
async function storeBatch(
  { store }: TestRuntime,
  batchNumber: number,
  symbols: readonly string[],
  reports: readonly SymbolReport[] = [],
): Promise<BatchResult> {
  const bytes = await encodeBatchFile({ bars: symbols.map((symbol) => bar(symbol, batchNumber)), reports });
  const s3Key = `raw-data/${DAY}-batch-${batchNumber}.parquet`;
  await store.put(s3Key, bytes);
  const counts = countOutcomes([...reports, ...symbols.map(() => ({ outcome: "fetched" as const }))]);
  const file = { rows: symbols.length, bytes: bytes.length, sha256: sha256(bytes) };
  return { date: DAY, batchNumber, s3Key, ...file, counts, unfinished: [], durationMs: 1200 };
}

function event(batches: readonly (readonly string[])[], results: (BatchResult | LostBatch)[]): RunSummaryEvent {
  const symbolBatches = batches.map((symbols, batchNumber) => ({ symbols: [...symbols], batchNumber }));
  const metadata: RunSummaryEvent["metadata"] = {
    totalSymbols: batches.flat().length,
    numBatches: batches.length,
    batchSize: 100,
    isLatest: true,
    concurrentBatches: batches.length,
    s3Key: `symbols/${DAY}-symbols.csv`,
    source: "asx-directory",
    changes: { comparedTo: null, added: [], removed: [] },
    warnings: ["no directory from the current address"],
  };
  return { date: DAY, tradingDay: true, startedAt: "2024-05-31T09:30:00.000Z", symbolBatches, metadata, results };
}

function lost(batchNumber: number, name: string, cause: string): LostBatch {
  return { batchNumber, error: { Error: name, Cause: cause } };
}

function written({ store }: TestRuntime) {
  return parseRunSummary(KEY, store.objects.get(KEY) ?? new Uint8Array());
}

describe("the run summary", () => {
  it("holds one outcome a symbol and, for each batch, its file's key, rows, size, hash and duration", async () => {
    const runtime = createTestRuntime();
    const first = await storeBatch(runtime, 0, ["BHP", "CBA"], [{ symbol: "NAB", outcome: "noTrade" }]);
    const second = await storeBatch(runtime, 1, ["WOW"], [{ symbol: "XYZ", outcome: "notFound" }]);
    const digest = await summariseRun(
      event(
        [
          ["BHP", "CBA", "NAB"],
          ["WOW", "XYZ"],
        ],
        [first, second],
      ),
      runtime,
    );

    expect(written(runtime)).toEqual({
      version: 1,
      date: DAY,
      status: "complete",
      startedAt: "2024-05-31T09:30:00.000Z",
      finishedAt: "2024-05-31T09:30:00.000Z",
      symbols: {
        s3Key: `symbols/${DAY}-symbols.csv`,
        source: "asx-directory",
        changes: { comparedTo: null, added: [], removed: [] },
        warnings: ["no directory from the current address"],
        total: 5,
      },
      counts: { fetched: 3, noTrade: 1, notFound: 1, invalid: 0, failed: 0, deferred: 0 },
      rows: 3,
      batches: [first, second].map(({ batchNumber, s3Key, rows, bytes, sha256, durationMs }) => {
        return { batchNumber, key: s3Key, rows, bytes, sha256, durationMs };
      }),
      outcomes: [
        { symbol: "BHP", outcome: "fetched" },
        { symbol: "CBA", outcome: "fetched" },
        { symbol: "NAB", outcome: "noTrade" },
        { symbol: "WOW", outcome: "fetched" },
        { symbol: "XYZ", outcome: "notFound" },
      ],
    });
    expect(digest).toMatchObject({ date: DAY, status: "complete", s3Key: KEY, totalSymbols: 5, rows: 3 });
    expect(digest.storeUrl).toBe(runtime.store.url);
    expect(digest.message).toContain("3 of 5 symbols have a bar");
  });

  it.each([
    ["complete", { outcome: "invalid", reason: "low 2 is above high 1" }],
    ["partial", { outcome: "failed", reason: "HTTP 503 after 5 attempts" }],
    ["partial", { outcome: "deferred" }],
  ] as const)("is %s where one symbol is %o", async (status, report) => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"], [{ symbol: "CBA", ...report }]);
    expect((await summariseRun(event([["BHP", "CBA"]], [result]), runtime)).status).toBe(status);
    expect(written(runtime).outcomes[1]).toEqual({ symbol: "CBA", ...report });
  });

  it("is failed where no symbol has a bar: no run ends green and empty", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, [], [{ symbol: "BHP", outcome: "noTrade" }]);
    expect((await summariseRun(event([["BHP"]], [result]), runtime)).status).toBe("failed");
  });

  it("is failed where there is no symbol at all", async () => {
    expect((await summariseRun(event([], []), createTestRuntime())).status).toBe("failed");
  });

  it.each([
    ["BatchFailedError", "all 1 symbols failed", "its batch was lost: BatchFailedError: all 1 symbols failed"],
    [
      "StoreUnavailableError",
      JSON.stringify({ errorType: "StoreUnavailableError", errorMessage: 'cannot "write"', trace: [] }),
      'its batch was lost: StoreUnavailableError: cannot "write"',
    ],
    ["Sandbox.Timedout", "", "its batch was lost: Sandbox.Timedout"],
  ])("counts the symbols of a batch lost to %s as failed, with the reason", async (name, cause, reason) => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    const { status } = await summariseRun(event([["BHP"], ["CBA"]], [result, lost(1, name, cause)]), runtime);
    expect(status).toBe("partial");
    const { outcomes, batches } = written(runtime);
    expect(outcomes).toContainEqual({ symbol: "CBA", outcome: "failed", reason });
    expect(batches[1]).toEqual({
      batchNumber: 1,
      key: null,
      rows: 0,
      bytes: 0,
      sha256: null,
      durationMs: null,
      error: reason,
    });
  });

  it("keeps what an earlier run stored of a batch that is lost now", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, ["BHP"], [{ symbol: "CBA", outcome: "noTrade" }]);
    await summariseRun(event([["BHP", "CBA", "NAB"]], [lost(0, "Lambda.Unknown", "")]), runtime);
    expect(written(runtime)).toMatchObject({
      status: "partial",
      outcomes: [
        { symbol: "BHP", outcome: "fetched" },
        { symbol: "CBA", outcome: "noTrade" },
        { symbol: "NAB", outcome: "failed" },
      ],
    });
  });

  it("keeps files of an earlier run with more batches in the manifest", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 7, ["OLD"]);
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await summariseRun(event([["BHP"]], [result]), runtime);
    const { batches, outcomes, rows } = written(runtime);
    expect(batches.map(({ batchNumber, durationMs }) => [batchNumber, durationMs])).toEqual([
      [0, 1200],
      [7, null],
    ]);
    expect(outcomes.map(({ symbol }) => symbol)).toEqual(["BHP", "OLD"]);
    expect(rows).toBe(2);
  });

  it("of a run of a few named symbols keeps what an earlier run knew of the listings and the other symbols", async () => {
    const runtime = createTestRuntime();
    const first = await storeBatch(runtime, 0, ["BHP"], [{ symbol: "CBA", outcome: "failed", reason: "HTTP 503" }]);
    await summariseRun(event([["BHP", "CBA"]], [first]), runtime);
    const second = await storeBatch(runtime, 0, ["BHP", "CBA"]);
    const named = event([["CBA"]], [second]);
    const metadata = { ...named.metadata, source: "event" as const, s3Key: null, warnings: [] };
    await summariseRun({ ...named, metadata }, runtime);
    expect(written(runtime)).toMatchObject({
      status: "complete",
      symbols: { source: "asx-directory", s3Key: `symbols/${DAY}-symbols.csv`, total: 2 },
      counts: { fetched: 2 },
    });
  });

  it("does not go on claiming a bar whose file is gone", async () => {
    const runtime = createTestRuntime();
    const first = await storeBatch(runtime, 0, ["BHP"]);
    const second = await storeBatch(runtime, 1, ["CBA"]);
    await summariseRun(event([["BHP"], ["CBA"]], [first, second]), runtime);
    runtime.store.objects.delete(second.s3Key);
    await summariseRun(event([["BHP"]], [first]), runtime);
    expect(written(runtime).outcomes).toContainEqual({
      symbol: "CBA",
      outcome: "failed",
      reason: "its stored file is gone",
    });
  });

  it.each([
    [
      "other bytes than its fetcher wrote",
      async (runtime: TestRuntime) => void (await storeBatch(runtime, 0, ["CBA"])),
    ],
    ["no bytes", async (runtime: TestRuntime, key: string) => void runtime.store.objects.delete(key)],
  ])("is refused where a file has %s", async (_, damage) => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await damage(runtime, result.s3Key);
    await expect(summariseRun(event([["BHP"]], [result]), runtime)).rejects.toThrow(StoredFileError);
    expect(runtime.store.objects.has(KEY)).toBe(false);
  });

  it("is refused where two files hold the same symbol's bar", async () => {
    const runtime = createTestRuntime();
    const results = [await storeBatch(runtime, 0, ["BHP"]), await storeBatch(runtime, 1, ["BHP"])];
    await expect(summariseRun(event([["BHP"], []], results), runtime)).rejects.toThrow("BHP is stored twice");
  });

  it("of a closed day says so, and reads nothing", async () => {
    const runtime = createTestRuntime();
    const closed = { ...event([], []), tradingDay: false };
    expect(await summariseRun(closed, runtime)).toMatchObject({ status: "market-closed", rows: 0, totalSymbols: 0 });
    expect(runtime.store.calls).toEqual([`list raw-data/${DAY}`, `put ${KEY}`]);
  });

  it("of a closed day is refused where bars are stored: a wrong closure hides no day", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await summariseRun(event([["BHP"]], [result]), runtime);
    await expect(summariseRun({ ...event([], []), tradingDay: false }, runtime)).rejects.toThrow(
      "check the configured closures",
    );
    expect(written(runtime)).toMatchObject({ status: "complete", rows: 1 });
  });

  it("measures the run by its status, its outcomes, its duration and its lag behind the closing auction", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"], [{ symbol: "CBA", outcome: "noTrade" }]);
    await runtime.clock.sleep(90_000);
    await summariseRun(event([["BHP", "CBA"]], [result]), runtime);
    expect(Object.fromEntries(runtime.measured)).toEqual({
      runComplete: 1,
      latestDayComplete: 1,
      runDuration: 90_000,
      dataLag: (3 * 60 + 20) * 60_000 + 90_000,
      symbolsFetched: 1,
      symbolsNoTrade: 1,
      symbolsNotFound: 0,
      symbolsInvalid: 0,
      symbolsFailed: 0,
      symbolsDeferred: 0,
    });
  });

  it.each([
    ["complete", [["BHP"]], "runComplete", 1],
    ["partial", [["BHP", "CBA"]], "runPartial", 0],
    ["failed", [["CBA"]], "runFailed", 0],
  ] as const)(
    "counts a %s run as that, and the latest day only where it is whole",
    async (status, batches, metric, whole) => {
      const runtime = createTestRuntime();
      const results =
        batches[0][0] === "BHP" ? [await storeBatch(runtime, 0, ["BHP"])] : [lost(0, "BatchFailedError", "")];
      expect(await summariseRun(event(batches, results), runtime)).toMatchObject({ status });
      const counted = ["runComplete", "runPartial", "runFailed", "runMarketClosed"] as const;
      expect(counted.filter((name) => runtime.measured.has(name))).toEqual([metric]);
      expect(runtime.measured.get("latestDayComplete") ?? 0).toBe(whole);
      expect(runtime.measured.has("dataLag")).toBe(whole === 1);
    },
  );

  it("measures the lag of a day once: when it became whole", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await summariseRun(event([["BHP"]], [result]), runtime);
    runtime.measured.clear();
    await summariseRun(event([["BHP"]], [result]), runtime);
    expect(Object.fromEntries(runtime.measured)).toMatchObject({ runComplete: 1, latestDayComplete: 1 });
    expect([...runtime.measured.keys()]).not.toContain("dataLag");
  });

  it.each([
    ["a date from further back", { isLatest: false }],
    ["a few symbols named by hand", { source: "event" }],
  ] as const)("does not take %s for the latest day", async (_, metadata) => {
    const runtime = createTestRuntime();
    const whole = event([["BHP"]], [await storeBatch(runtime, 0, ["BHP"])]);
    await summariseRun({ ...whole, metadata: { ...whole.metadata, ...metadata } }, runtime);
    expect([...runtime.measured.keys()]).toContain("runComplete");
    expect([...runtime.measured.keys()]).not.toContain("latestDayComplete");
    expect([...runtime.measured.keys()]).not.toContain("dataLag");
  });

  it("of a closed day measures no outcomes", async () => {
    const runtime = createTestRuntime();
    await summariseRun({ ...event([], []), tradingDay: false }, runtime);
    expect(Object.fromEntries(runtime.measured)).toEqual({ runMarketClosed: 1, runDuration: 0 });
  });
});
