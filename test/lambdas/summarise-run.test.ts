import { describe, expect, it } from "vitest";
import { StoreConflictError, StoredFileError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { lost, ofNamedSymbols, runEvent, storeBatch, storeRecord, summarise } from "../support/fetched-run.ts";
import { createTestRuntime, type TestRuntime } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const KEY = `runs/${DAY}.json`;

function written({ store }: TestRuntime) {
  return parseRunSummary(KEY, store.objects.get(KEY) ?? new Uint8Array());
}

describe("the run summary", () => {
  it("holds one outcome a symbol and, for each batch, its file's key, rows, size, hash and duration", async () => {
    const runtime = createTestRuntime();
    const first = await storeBatch(runtime, 0, ["BHP", "CBA"], [{ symbol: "NAB", outcome: "noTrade" }]);
    const second = await storeBatch(runtime, 1, ["WOW"], [{ symbol: "XYZ", outcome: "notFound" }]);
    const digest = await summarise(
      runEvent(
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
      attempts: 1,
      upstream: { requests: 0, retries: 0, rateLimited: 0, breakerOpenings: 0, waitedMs: 0 },
      symbols: {
        s3Key: `symbols/${DAY}-symbols.csv`,
        source: "asx-directory",
        changes: { comparedTo: null, added: [], removed: [] },
        warnings: ["no directory from the current address"],
        total: 5,
      },
      counts: { fetched: 3, noTrade: 1, notFound: 1, invalid: 0, failed: 0, deferred: 0 },
      rows: 3,
      revised: 0,
      unread: 0,
      quality: { traded: 3, usual: null, findings: [], suspects: [] },
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
    expect((await summarise(runEvent([["BHP", "CBA"]], [result]), runtime)).status).toBe(status);
    expect(written(runtime).outcomes[1]).toEqual({ symbol: "CBA", ...report });
  });

  it("is failed where no symbol has a bar: no run ends green and empty", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, [], [{ symbol: "BHP", outcome: "noTrade" }]);
    expect((await summarise(runEvent([["BHP"]], [result]), runtime)).status).toBe("failed");
  });

  it("is failed where there is no symbol at all", async () => {
    expect((await summarise(runEvent([], []), createTestRuntime())).status).toBe("failed");
  });

  it.each([
    [
      "StoreConflictError",
      "others kept changing it",
      "its batch was lost: StoreConflictError: others kept changing it",
    ],
    [
      "StoreUnavailableError",
      JSON.stringify({ errorType: "StoreUnavailableError", errorMessage: 'cannot "write"', trace: [] }),
      'its batch was lost: StoreUnavailableError: cannot "write"',
    ],
    ["Sandbox.Timedout", "", "its batch was lost: Sandbox.Timedout"],
  ])("counts the symbols of a batch lost to %s as failed, with the reason", async (name, cause, reason) => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    const { status } = await summarise(runEvent([["BHP"], ["CBA"]], [result, lost(1, name, cause)]), runtime);
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
    await summarise(runEvent([["BHP", "CBA", "NAB"]], [lost(0, "Lambda.Unknown", "")]), runtime);
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
    await summarise(runEvent([["BHP"]], [result]), runtime);
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
    await summarise(runEvent([["BHP", "CBA"]], [first]), runtime);
    const second = await storeBatch(runtime, 0, ["BHP", "CBA"]);
    await summarise(ofNamedSymbols(runEvent([["CBA"]], [second])), runtime);
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
    await summarise(runEvent([["BHP"], ["CBA"]], [first, second]), runtime);
    runtime.store.objects.delete(second.s3Key);
    await summarise(runEvent([["BHP"]], [first]), runtime);
    expect(written(runtime).outcomes).toContainEqual({
      symbol: "CBA",
      outcome: "failed",
      reason: "its stored file is gone",
    });
  });

  it.each<[string, (runtime: TestRuntime, key: string) => Promise<unknown>]>([
    ["lost a bar that its fetcher wrote", (runtime) => storeBatch(runtime, 0, ["BHP"])],
    ["lost all of them", (runtime) => storeBatch(runtime, 0, [])],
    ["gone", async (runtime, key) => runtime.store.objects.delete(key)],
  ])("is refused where a file is or has %s", async (_, damage) => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP", "CBA"]);
    await damage(runtime, result.s3Key);
    await expect(summarise(runEvent([["BHP", "CBA"]], [result]), runtime)).rejects.toThrow(StoredFileError);
    await expect(summarise(runEvent([["BHP", "CBA"]], [result]), runtime)).rejects.toThrow(
      /raw-data\/2024-05-31-batch-0\.parquet .* but its batch fetcher wrote 2, SHA-256/,
    );
    expect(runtime.store.objects.has(KEY)).toBe(false);
  });

  it("takes a file that another writer added to since as it is, and vouches for what is stored", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"], [{ symbol: "CBA", outcome: "failed", reason: "HTTP 503" }]);
    const added = await storeBatch(runtime, 0, ["BHP", "CBA"]);
    expect(await summarise(runEvent([["BHP", "CBA"]], [result]), runtime)).toMatchObject({
      status: "complete",
      rows: 2,
    });
    expect(written(runtime).batches).toMatchObject([{ rows: 2, bytes: added.bytes, sha256: added.sha256 }]);
  });

  it("is not written over the one of another run that was written meanwhile", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    const replace = runtime.store.replace.bind(runtime.store);
    let others = new Uint8Array();
    runtime.store.replace = async (...args) => {
      runtime.store.replace = replace;
      await summarise(runEvent([["BHP", "CBA"]], [result, lost(1, "States.Timeout")]), runtime);
      others = runtime.store.objects.get(KEY)?.slice() ?? others;
      await replace(...args);
    };
    await expect(summarise(runEvent([["BHP"]], [result]), runtime)).rejects.toThrow(StoreConflictError);
    expect(runtime.store.objects.get(KEY)).toEqual(others);
  });

  it("is refused where the stored one of the date is damaged: what it told of symbols would be lost", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    const damaged = new TextEncoder().encode("{");
    await runtime.store.put(KEY, damaged);
    await expect(summarise(runEvent([["BHP"]], [result]), runtime)).rejects.toThrow(StoredFileError);
    expect(runtime.store.objects.get(KEY)).toEqual(damaged);
  });

  it("is refused where two files hold the same symbol's bar", async () => {
    const runtime = createTestRuntime();
    const results = [await storeBatch(runtime, 0, ["BHP"]), await storeBatch(runtime, 1, ["BHP"])];
    await expect(summarise(runEvent([["BHP"], []], results), runtime)).rejects.toThrow("BHP is stored twice");
  });

  it("of a closed day says so, and reads nothing", async () => {
    const runtime = createTestRuntime();
    const closed = { ...runEvent([], []), tradingDay: false };
    expect(await summarise(closed, runtime)).toMatchObject({ status: "market-closed", rows: 0, totalSymbols: 0 });
    expect(runtime.store.calls).toEqual([`read ${KEY}`, `list raw-data/${DAY}`, `replace ${KEY}`]);
  });

  it("of a closed day says so too where files without a bar are stored: that day was asked for in vain", async () => {
    const runtime = createTestRuntime();
    await storeBatch(runtime, 0, [], [{ symbol: "BHP", outcome: "noTrade" }]);
    const closed = { ...runEvent([], []), tradingDay: false };
    expect(await summarise(closed, runtime)).toMatchObject({ status: "market-closed", rows: 0, totalSymbols: 0 });
    expect(written(runtime)).toMatchObject({ status: "market-closed", outcomes: [], batches: [] });
  });

  it("of a closed day is refused where bars are stored: a wrong closure hides no day", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await summarise(runEvent([["BHP"]], [result]), runtime);
    await storeBatch(runtime, 1, [], [{ symbol: "CBA", outcome: "noTrade" }]);
    await expect(summarise({ ...runEvent([], []), tradingDay: false }, runtime)).rejects.toThrow(
      `${result.s3Key} holds bars; check the configured closures`,
    );
    expect(written(runtime)).toMatchObject({ status: "complete", rows: 1 });
  });

  it("measures the run by its status, its outcomes, its duration and its lag behind the closing auction", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"], [{ symbol: "CBA", outcome: "noTrade" }]);
    await runtime.clock.sleep(90_000);
    await summarise(runEvent([["BHP", "CBA"]], [result]), runtime);
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
      barsRevised: 0,
      barsSuspect: 0,
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
        batches[0][0] === "BHP" ? [await storeBatch(runtime, 0, ["BHP"])] : [lost(0, "Sandbox.Timedout", "")];
      expect(await summarise(runEvent(batches, results), runtime)).toMatchObject({ status });
      const counted = ["runComplete", "runPartial", "runFailed", "runMarketClosed"] as const;
      expect(counted.filter((name) => runtime.measured.has(name))).toEqual([metric]);
      expect(runtime.measured.get("latestDayComplete") ?? 0).toBe(whole);
      expect(runtime.measured.has("dataLag")).toBe(whole === 1);
    },
  );

  it("counts the changes of stored bars that are on record, and measures those that are new", async () => {
    const runtime = createTestRuntime();
    const event = runEvent([["BHP", "CBA"]], [await storeBatch(runtime, 0, ["BHP", "CBA"])]);
    await storeRecord(runtime, 2);
    await storeRecord(runtime, 4, { date: "2024-05-30" });
    await summarise(event, runtime);
    expect(written(runtime).revised).toBe(2);
    expect(runtime.measured.get("barsRevised")).toBe(2);

    await storeRecord(runtime, 1, { batchNumber: 7 });
    runtime.measured.clear();
    const digest = await summarise(event, runtime);
    expect(written(runtime).revised).toBe(3);
    expect(runtime.measured.get("barsRevised")).toBe(1);
    expect(digest.message).toContain("Bars changed by the provider after they were stored: 3.");
  });

  it("counts no change twice where it is tried again", async () => {
    const runtime = createTestRuntime();
    const result = { ...(await storeBatch(runtime, 0, ["BHP"])), revised: 2 };
    await storeRecord(runtime, 2);
    for (let tries = 0; tries < 3; tries += 1) await summarise(runEvent([["BHP"]], [result]), runtime);
    expect(written(runtime).revised).toBe(2);
    expect(runtime.measured.get("barsRevised")).toBe(2);
  });

  it("is refused where the record of changes is damaged", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await runtime.store.put(`revisions/${DAY}-batch-0.json`, new TextEncoder().encode("{"));
    const refused = summarise(runEvent([["BHP"]], [result]), runtime);
    await expect(refused).rejects.toThrow(StoredFileError);
    await expect(refused).rejects.toThrow(`revisions/${DAY}-batch-0.json is damaged`);
    expect(runtime.store.objects.has(KEY)).toBe(false);
  });

  it("measures the lag of a day once: when it became whole", async () => {
    const runtime = createTestRuntime();
    const result = await storeBatch(runtime, 0, ["BHP"]);
    await summarise(runEvent([["BHP"]], [result]), runtime);
    runtime.measured.clear();
    await summarise(runEvent([["BHP"]], [result]), runtime);
    expect(Object.fromEntries(runtime.measured)).toMatchObject({ runComplete: 1, latestDayComplete: 1 });
    expect([...runtime.measured.keys()]).not.toContain("dataLag");
  });

  it.each([
    ["a date from further back", { isLatest: false }],
    ["a few symbols named by hand", { source: "event" }],
  ] as const)("does not take %s for the latest day", async (_, metadata) => {
    const runtime = createTestRuntime();
    const whole = runEvent([["BHP"]], [await storeBatch(runtime, 0, ["BHP"])]);
    await summarise({ ...whole, metadata: { ...whole.metadata, ...metadata } }, runtime);
    expect([...runtime.measured.keys()]).toContain("runComplete");
    expect([...runtime.measured.keys()]).not.toContain("latestDayComplete");
    expect([...runtime.measured.keys()]).not.toContain("dataLag");
  });

  it("of a closed day measures no outcomes", async () => {
    const runtime = createTestRuntime();
    await summarise({ ...runEvent([], []), tradingDay: false }, runtime);
    expect(Object.fromEntries(runtime.measured)).toEqual({ runMarketClosed: 1, runDuration: 0, barsRevised: 0 });
  });
});
