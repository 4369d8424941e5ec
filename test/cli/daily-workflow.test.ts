import { describe, expect, it } from "vitest";
import { runDailyWorkflow, type WorkflowEvent } from "../../cli/daily-workflow.ts";
import {
  type BatchResult,
  dealIntoLanes,
  NOTHING_ASKED,
  type SymbolBatch,
  splitIntoBatches,
} from "../../domain/batch.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import type { RunDigest } from "../../domain/run-summary.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { type Delivery, SANDBOX_PATHS } from "../../sandbox/server.ts";
import { createDrivenClock } from "../support/driven-clock.ts";
import { createTestFetcher, plainBar, storeFile } from "../support/test-fetcher.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const DAY = "2024-05-31";

/** The whole workflow with the real definition and handlers, and a market answering in the process. */
function setUp(tiny: TinyMarket, delivery?: Delivery) {
  const clock = createDrivenClock(EVENING);
  const upstream = sandboxFetch(createTinyMarket(tiny), clock.now, delivery);
  const runtime = { ...createTestRuntime({ fetch: upstream.fetch }), clock };
  let runs = 0;
  const notifications: string[] = [];
  const events: WorkflowEvent[] = [];
  const waits: number[] = [];
  const environment = {
    ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
    ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
    YAHOO_URL: "http://sandbox",
    BATCH_SIZE: "2",
    REQUESTS_PER_SECOND: "unlimited",
  };
  return {
    runtime,
    notifications,
    events,
    waits,
    paths: upstream.paths,
    run: (event = {}, settings: Record<string, string> = {}) =>
      runDailyWorkflow(
        { date: DAY, ...event },
        {
          environment: { ...environment, ...settings },
          runtime,
          maxConcurrency: 10,
          onNotification: (subject, message) => notifications.push(`${subject}: ${message}`),
          onEvent: (told) => events.push(told),
          retryDelayMs: 0,
          run: `run-${++runs}`,
          longestRedriveWaitMs: Number.POSITIVE_INFINITY,
          onRedrive: (_, waitMs) => waits.push(waitMs),
        },
      ),
    summary: () =>
      parseRunSummary(`runs/${DAY}.json`, runtime.store.objects.get(`runs/${DAY}.json`) ?? new Uint8Array()),
  };
}

const FIVE: TinyMarket = {
  bars: { AAA: { [DAY]: {} }, BBB: { [DAY]: {} }, CCC: {}, DDD: { [DAY]: {} }, EEE: { [DAY]: {} } },
};

const FIVE_TICKERS = Object.keys(FIVE.bars).map((symbol) => `${symbol}.AX`);

/** Answers the charts of some tickers with a status. */
function failing(status: number, ...tickers: readonly string[]): Delivery {
  return async (answer, { ticker }) =>
    ticker !== undefined && tickers.includes(ticker) ? { status, contentType: "text/plain", body: "" } : answer;
}

describe("the daily workflow on one machine", () => {
  it("goes from the directory to a complete run summary", async () => {
    const { run, runtime, notifications, summary } = setUp(FIVE);
    const { digest, error } = await run();
    expect(error).toBeUndefined();
    expect(digest).toMatchObject({ date: DAY, status: "complete", rows: 4, totalSymbols: 5 });
    expect([...runtime.store.objects.keys()].sort()).toEqual([
      "listings/listings.json",
      `raw-data/${DAY}-batch-0.parquet`,
      `raw-data/${DAY}-batch-1.parquet`,
      `raw-data/${DAY}-batch-2.parquet`,
      `runs/${DAY}.json`,
      `runs/${DAY}.lock`,
      `symbols/${DAY}-symbols.csv`,
    ]);
    expect(summary().outcomes.map(({ symbol, outcome }) => `${symbol} ${outcome}`)).toEqual([
      "AAA fetched",
      "BBB fetched",
      "CCC noTrade",
      "DDD fetched",
      "EEE fetched",
    ]);
    expect(notifications).toEqual([]);
  });

  it("fetches nothing on a closed day, and records that it was one", async () => {
    const { run, paths, runtime } = setUp(FIVE);
    const { digest, error } = await run({ date: "2024-04-25" });
    expect(error).toBeUndefined();
    expect(digest).toMatchObject({ date: "2024-04-25", status: "market-closed" });
    expect(paths).toEqual([]);
    expect([...runtime.store.objects.keys()]).toEqual(["runs/2024-04-25.json"]);
  });

  it("fetches what failed again after 2 and 10 minutes, then ends partial and notifies; run again it asks for that symbol only", async () => {
    const down = ["BBB.AX"];
    const { run, notifications, paths, waits, summary } = setUp(FIVE, async (answer, request) =>
      failing(503, ...down)(answer, request),
    );
    const first = await run();
    expect(first).toMatchObject({ digest: { status: "partial", redrive: null }, error: { name: "RunPartial" } });
    expect(notifications).toEqual([expect.stringContaining("1 failed")]);
    expect(waits).toEqual([120_000, 600_000]);
    const asked = paths.filter((path) => path.includes("chart"));
    expect(asked.filter((path) => path.endsWith("BBB.AX"))).toHaveLength(3 * 6);
    expect(asked.filter((path) => !path.endsWith("BBB.AX"))).toHaveLength(4);
    expect(summary()).toMatchObject({ attempts: 3, upstream: { requests: 4 + 3 * 6, retries: 3 * 5 } });

    down.length = 0;
    paths.length = 0;
    const second = await run();
    expect(second).toMatchObject({ digest: { status: "complete", rows: 4 }, error: undefined });
    expect(paths).toEqual([SANDBOX_PATHS.directory, "/v8/finance/chart/BBB.AX"]);
    expect(summary().counts).toMatchObject({ fetched: 4, failed: 0 });
  });

  it("keeps the other batches going when all symbols of one fail, and fetches that one again", async () => {
    const { run, summary, events, waits } = setUp(FIVE, failing(503, "CCC.AX", "DDD.AX"));
    const { digest, error } = await run();
    expect(digest).toMatchObject({ status: "partial", rows: 3 });
    expect(error?.name).toBe("RunPartial");
    expect(waits).toHaveLength(2);
    expect(events.filter(({ type }) => type === "StateRetried")).toHaveLength(0);
    expect(summary().outcomes.filter(({ outcome }) => outcome === "failed")).toEqual([
      { symbol: "CCC", outcome: "failed", reason: expect.stringContaining("HTTP 503 after") },
      { symbol: "DDD", outcome: "failed", reason: expect.stringContaining("HTTP 503 after") },
    ]);
  });

  it("heals a batch whose trouble passes before it is fetched again", async () => {
    let asked = 0;
    const { run, notifications } = setUp(FIVE, async (answer, { ticker }) => {
      if (ticker !== "EEE.AX") return answer;
      asked += 1;
      return asked <= 3 ? { status: 429, contentType: "text/plain", body: "Too Many Requests\r\n" } : answer;
    });
    expect(await run()).toMatchObject({ digest: { status: "complete" }, error: undefined });
    expect(asked).toBe(4);
    expect(notifications).toEqual([]);
  });

  it("that is blocked from the first call on ends at once, with a few requests, and says so", async () => {
    const { run, summary, notifications, paths, waits } = setUp(FIVE, failing(429, ...FIVE_TICKERS));
    expect(await run()).toMatchObject({ digest: { status: "failed" }, error: { name: "RunFailed" } });
    expect(waits).toEqual([]);
    expect(paths.filter((path) => path.includes("chart")).length).toBeLessThanOrEqual(3 * 3);
    expect(notifications).toEqual([expect.stringContaining("blocked from the first call on: HTTP 429")]);
    expect(summary()).toMatchObject({
      quality: { findings: [expect.objectContaining({ gate: "upstream", stops: true })] },
      upstream: { requests: paths.filter((path) => path.includes("chart")).length },
    });
  });

  it("leaves a date to the run that has it, and nothing is amiss", async () => {
    const { run, runtime, notifications, paths } = setUp(FIVE);
    const { store, clock } = runtime;
    await takeRunLock(store, DAY, { run: "another" }, { clock, expiresAfterMs: 60_000 });
    expect(await run()).toEqual({
      digest: undefined,
      error: undefined,
      underWay: expect.stringContaining(`${DAY} is being run by the execution another since`),
    });
    expect([notifications, paths]).toEqual([[], []]);
  });

  it("that catches up leaves all of its sessions to the run that has its date", async () => {
    const { run, runtime, notifications, paths } = setUp(FIVE);
    const { store, clock } = runtime;
    await takeRunLock(store, DAY, { run: "another" }, { clock, expiresAfterMs: 60_000 });
    expect(await run({ catchUp: true })).toMatchObject({ underWay: expect.stringContaining(`${DAY} is being run`) });
    expect([notifications, paths]).toEqual([[], []]);
    await expect(run({ date: "2024-05-30" })).resolves.not.toHaveProperty("underWay");
  });

  it("that catches up goes on without a session that another run has", async () => {
    const { run, runtime } = setUp(FIVE);
    const { store, clock } = runtime;
    await takeRunLock(store, "2024-05-29", { run: "another" }, { clock, expiresAfterMs: 60_000 });
    const { digest } = await run({ catchUp: true, fillDays: 8 });
    const earlier = digest?.earlier.map(({ date }) => date);
    expect(earlier).toEqual(["2024-05-24", "2024-05-27", "2024-05-28", "2024-05-30"]);
    expect(store.objects.has("raw-data/2024-05-29-batch-0.parquet")).toBe(false);
  });

  it("gives the date free when it has ended, also where it failed", async () => {
    const { run } = setUp(FIVE, failing(503, "BBB.AX"));
    for (const name of ["RunPartial", "RunPartial"]) expect((await run()).error?.name).toBe(name);
  });

  it("that catches up asks each symbol once for the last five sessions, fills them and records what has changed", async () => {
    const market = { ...FIVE, bars: { ...FIVE.bars, AAA: { "2024-05-30": { close: 10 }, [DAY]: { close: 10 } } } };
    const { run, runtime, paths } = setUp(market);
    await run({ date: "2024-05-30" });
    await run();
    market.bars.AAA["2024-05-30"].close = 9.5;
    paths.length = 0;
    expect(await run({ catchUp: true })).toMatchObject({
      digest: {
        date: DAY,
        rows: 4,
        earlier: ["2024-05-27", "2024-05-28", "2024-05-29"]
          .map((date) => ({ date, status: "failed" }))
          .concat({
            date: "2024-05-30",
            status: "complete",
          }),
      },
    });
    expect(paths.filter((path) => path.includes("chart")).sort()).toEqual(
      FIVE_TICKERS.map((ticker) => `/v8/finance/chart/${ticker}`),
    );
    const record = runtime.store.objects.get("revisions/2024-05-30-batch-0.json");
    expect(JSON.parse(new TextDecoder().decode(record))).toMatchObject({
      revisions: [{ symbol: "AAA", before: { close: 10 }, after: { close: 9.5 } }],
    });
  });

  it("with no bar at all fails and notifies: no run ends green and empty", async () => {
    const { run, notifications } = setUp({ bars: { AAA: {}, BBB: {} } });
    expect(await run()).toMatchObject({ digest: { status: "failed" }, error: { name: "RunFailed" } });
    expect(notifications).toHaveLength(1);
  });

  it("with every batch lost fails", async () => {
    const { run } = setUp(FIVE, async (answer, { ticker }) =>
      ticker === undefined ? answer : { status: 503, contentType: "text/html", body: "" },
    );
    expect(await run()).toMatchObject({
      digest: { status: "failed", counts: { failed: 5 } },
      error: { name: "RunFailed" },
    });
  });

  it("without symbols fetches nothing, notifies and fails", async () => {
    const { run, notifications, paths, runtime } = setUp({ ...FIVE, directory: "<html>Request Rejected</html>" });
    expect(await run()).toMatchObject({ digest: undefined, error: { name: "NoSymbols" } });
    expect(notifications).toEqual([
      expect.stringMatching(/nothing fetched: .*"Error":"DirectoryUnavailableError".*no directory from sandbox/),
    ]);
    expect(paths.filter((path) => path.includes("chart"))).toEqual([]);
    expect([...runtime.store.objects.keys()]).toEqual([`runs/${DAY}.lock`]);
  });

  it("that breaks off before its summary notifies and fails", async () => {
    const { run, notifications, runtime } = setUp(FIVE);
    await runtime.store.put(`runs/${DAY}.json`, new TextEncoder().encode("{"));
    expect(await run()).toMatchObject({ digest: undefined, error: { name: "NoSummary" } });
    expect(notifications).toEqual([expect.stringContaining(`runs/${DAY}.json is damaged`)]);
  });

  it("refuses a bad environment before anything runs", async () => {
    const { run, events } = setUp(FIVE);
    await expect(run({}, { REQUESTS_PER_SECOND: "fast" })).rejects.toThrow(InvalidInputError);
    expect(events).toEqual([]);
  });

  it("adds the named symbols of a small run to a day without losing a bar or storing one twice", async () => {
    const { run, paths, summary } = setUp(FIVE);
    await run({ symbols: ["EEE", "AAA"] });
    const { digest } = await run();
    expect(digest).toMatchObject({ status: "complete", rows: 4, totalSymbols: 5 });
    expect(paths.filter((path) => path.includes("chart"))).toHaveLength(5);
    expect(summary().symbols.source).toBe("asx-directory");
  });

  it("cut into other batches keeps every bar once", async () => {
    const { run, paths } = setUp(FIVE);
    await run();
    const { digest } = await run({}, { BATCH_SIZE: "3" });
    expect(digest).toMatchObject({ status: "complete", rows: 4, totalSymbols: 5 });
    expect(paths.filter((path) => path.includes("chart"))).toHaveLength(5);
  });

  it("keeps every message far below 256 KiB with 5,000 symbols that all fail", async () => {
    const symbols = Array.from({ length: 5000 }, (_, index) => `C${String(index).padStart(4, "0")}`);
    const { run, events } = setUp({ bars: {} }, async () => ({
      status: 403,
      contentType: "text/html",
      body: "<p>blocked</p>",
    }));
    const { digest } = await run({ symbols }, { BATCH_SIZE: "100" });
    expect(digest).toMatchObject({ status: "failed", totalSymbols: 5000, counts: { fetched: 0, noTrade: 0 } });
    const messages = events.flatMap((event) => ("state" in event ? [event.state.input, event.state.output] : []));
    const sizes = messages.map((message) => Buffer.byteLength(JSON.stringify(message ?? null)));
    expect(messages.length).toBeGreaterThan(100);
    expect(Math.max(...sizes)).toBeLessThan(128 * 1024);
  });

  it("keeps every message below 200 KiB while 100 batches of a catch-up fail, stop and find changes in every session", async () => {
    const symbols = Array.from({ length: 5000 }, (_, index) => `C${String(index).padStart(4, "0")}`);
    const result = await fullBatchResult(symbols.slice(0, 50));
    const messages: unknown[] = [];
    const runtime = createTestRuntime();
    const batches = splitIntoBatches(symbols, 50);
    let fetched = 0;
    let rounds = 0;
    const { error } = await runDailyWorkflow(
      { date: DAY, symbols, catchUp: true },
      {
        environment: { BATCH_SIZE: "50" },
        runtime,
        maxConcurrency: 10,
        onNotification: () => undefined,
        onEvent: (event) => void ("state" in event && messages.push(event.state.input, event.state.output)),
        retryDelayMs: 0,
        run: "arn:aws:states:ap-southeast-2:123456789012:execution:asx-eod-daily:".padEnd(400, "x"),
        longestRedriveWaitMs: 0,
        invoke: async (name, call) => {
          if (name === "symbol-updater") return call();
          const batchNumber = fetched % batches.length;
          if (name === "run-summary") return fullDigest(batches, ++rounds);
          fetched += 1;
          return { ...result, batchNumber, s3Key: `raw-data/${DAY}-batch-${batchNumber}.parquet` };
        },
      },
    );
    expect(error?.name).toBe("RunPartial");
    expect([fetched, rounds]).toEqual([300, 3]);
    const sizes = messages.map((message) => Buffer.byteLength(JSON.stringify(message ?? null)));
    expect(Math.max(...sizes)).toBeGreaterThan(100 * 1024);
    expect(Math.max(...sizes)).toBeLessThan(200 * 1024);
  });
});

/** The result of a batch that has all that makes one long. */
async function fullBatchResult(symbols: readonly string[]): Promise<BatchResult> {
  const sessions = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", DAY];
  const bars = Object.fromEntries(
    symbols.map((symbol) => [symbol, Object.fromEntries(sessions.map((date) => [date, { close: 10.75 }]))]),
  );
  const known = symbols.slice(0, 5);
  const isAnswered = (ticker: string) => known.some((symbol) => ticker === `${symbol}.AX`);
  const { fetch, runtime } = createTestFetcher({ bars }, async (answer, { ticker = "" }) =>
    ticker === "" || isAnswered(ticker) ? answer : { status: 200, contentType: "text/html", body: "<p>".repeat(500) },
  );
  for (const date of sessions) {
    const stored = known.map((symbol) => plainBar(symbol, date));
    await storeFile(runtime, { date }, stored);
  }
  const result = await fetch({ symbols: [...symbols], batchNumber: 0, date: DAY, sessions, catchUp: true });
  expect(result).toMatchObject({ revised: 5, stopped: { by: "breaker" } });
  expect(result.earlier).toHaveLength(4);
  expect(result.unfinished.map(({ reason = "" }) => reason.length)).toEqual([80, 80, 80]);
  return { ...result, unread: 50 };
}

/** What the summary returns of such batches. */
function fullDigest(batches: readonly SymbolBatch[], attempt: number): RunDigest {
  const numbers = batches.map(({ batchNumber }) => batchNumber);
  const run = { id: "x".repeat(400), attempt: attempt + 1, upstream: NOTHING_ASKED, unread: numbers };
  return {
    date: DAY,
    status: "partial",
    storeUrl: "memory:",
    s3Key: `runs/${DAY}.json`,
    totalSymbols: 5000,
    rows: 500,
    counts: { fetched: 500, noTrade: 0, notFound: 0, invalid: 0, failed: 4500, deferred: 0 },
    earlier: ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30"].map((date) => ({ date, status: "partial" })),
    redrive: attempt < 3 ? { run, waitSeconds: 120, lanes: dealIntoLanes(numbers, 10) } : null,
    message: "x".repeat(2_000),
  };
}
