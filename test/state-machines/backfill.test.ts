import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type BackfillOptions, runBackfillWorkflow } from "../../cli/backfill-workflow.ts";
import {
  type BackfillDigest,
  type BackfillEvent,
  HISTORY_UNFINISHED_NAMED,
  type HistoryBatchResult,
  historyBatchResult,
} from "../../domain/backfill.ts";
import { NOTHING_ASKED } from "../../domain/batch.ts";
import { spanName } from "../../domain/date-span.ts";
import { backfillKey } from "../../domain/object-keys.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";
import { takeRunLock } from "../../lambdas/runtime/run-lock.ts";
import { type Delivery, SANDBOX_PATHS } from "../../sandbox/server.ts";
import { fillBackfillDefinition, readBackfillDefinition } from "../../state-machines/backfill.ts";
import { fillDailyDefinition } from "../../state-machines/daily.ts";
import { createDrivenClock } from "../support/driven-clock.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "../support/tiny-market.ts";

const PLACEHOLDERS = {
  symbolUpdaterArn: "arn:aws:lambda:ap-southeast-2:123456789012:function:symbol-updater:live",
  batchFetcherArn: "arn:aws:lambda:ap-southeast-2:123456789012:function:batch-fetcher:live",
  runSummaryArn: "arn:aws:lambda:ap-southeast-2:123456789012:function:run-summary:live",
  topicArn: "arn:aws:sns:ap-southeast-2:123456789012:alerts",
  maxConcurrency: 10,
  symbolUpdaterTimeoutSeconds: 330,
  batchFetcherTimeoutSeconds: 930,
  runSummaryTimeoutSeconds: 330,
  runTimeoutSeconds: 7200,
};

const states = z.record(z.string(), z.looseObject({ Type: z.string() }));
const machine = z.object({ TimeoutSeconds: z.number(), States: states });
const map = z.object({ MaxConcurrency: z.number(), ItemProcessor: z.object({ States: states }) });
const task = z.object({
  Resource: z.string(),
  TimeoutSeconds: z.number(),
  Retry: z.array(z.unknown()),
  Catch: z.array(z.object({ ErrorEquals: z.array(z.string()), Next: z.string() })),
});

/** A definition with its two maps. */
function read(filled: unknown, mapName: string) {
  const { States, TimeoutSeconds } = machine.parse(filled);
  const outer = map.parse(States[mapName]);
  const inner = map.parse(outer.ItemProcessor.States["FetchLane"]);
  return { States, TimeoutSeconds, outer, inner };
}

const backfill = read(fillBackfillDefinition(PLACEHOLDERS), "FetchHistory");
const daily = read(fillDailyDefinition(PLACEHOLDERS), "FetchBatches");

describe("the backfill", () => {
  it("is valid in the Amazon States Language", () => {
    const { isValid, errorsText } = validate(fillBackfillDefinition(PLACEHOLDERS), {
      checkArn: true,
      checkPaths: true,
    });
    expect(errorsText("\n")).toBe("");
    expect(isValid).toBe(true);
  });

  it("has every placeholder filled, numbers as numbers", () => {
    expect(JSON.stringify(fillBackfillDefinition(PLACEHOLDERS))).not.toContain("${");
    expect(backfill.outer.MaxConcurrency).toBe(PLACEHOLDERS.maxConcurrency);
    expect(() => fillBackfillDefinition(PLACEHOLDERS, { ...readBackfillDefinition(), Extra: "${unknownArn}" })).toThrow(
      "${unknownArn}",
    );
  });

  it.each([
    ["PlanBackfill", "UpdateSymbols"],
    ["SummariseBackfill", "SummariseRun"],
  ])("tries %s again as the daily run does %s, in the same time", (name, dailyName) => {
    const [ours, theirs] = [task.parse(backfill.States[name]), task.parse(daily.States[dailyName])];
    expect([ours.Retry, ours.TimeoutSeconds]).toEqual([theirs.Retry, theirs.TimeoutSeconds]);
    expect(ours.Catch.map(({ ErrorEquals }) => ErrorEquals)).toEqual(
      theirs.Catch.map(({ ErrorEquals }) => ErrorEquals),
    );
  });

  it("tries a batch again, and gives it up alone, as the daily run does", () => {
    const [ours, theirs] = [backfill, daily].map(({ inner }) => task.parse(inner.ItemProcessor.States["FetchBatch"]));
    expect([ours?.Retry, ours?.TimeoutSeconds]).toEqual([theirs?.Retry, theirs?.TimeoutSeconds]);
    expect(ours?.Catch).toEqual([expect.objectContaining({ ErrorEquals: ["States.ALL"], Next: "BatchLost" })]);
    expect(backfill.inner.ItemProcessor.States["BatchLost"]).toMatchObject({ Type: "Pass", End: true });
  });

  it("fetches a worker's batches one after the other: its share of the request budget is its own", () => {
    expect(backfill.inner.MaxConcurrency).toBe(1);
  });

  it.each(["PlanBackfill", "SummariseBackfill"])("leaves a span to the run that has it, in %s", (name) => {
    expect(task.parse(backfill.States[name]).Catch[0]).toMatchObject({
      ErrorEquals: ["RunUnderWayError"],
      Next: "AlreadyRunning",
    });
    expect(backfill.States["AlreadyRunning"]).toMatchObject({ Type: "Pass", End: true });
  });

  it("publishes a notification before every end that is no good one", () => {
    const failing = Object.entries(backfill.States).filter(([, { Type }]) => Type === "Fail");
    expect(failing.map(([name]) => name).sort()).toEqual(["BackfillFailed", "BackfillPartial", "NoPlan", "NoSummary"]);
    const notifiers = Object.values(backfill.States).filter(
      ({ Resource }) => Resource === "arn:aws:states:::sns:publish",
    );
    expect(notifiers.map(({ Next }) => Next).sort()).toEqual(failing.map(([name]) => name).sort());
    for (const notifier of notifiers) expect(task.parse(notifier).Catch.at(-1)?.Next).toBe(notifier["Next"]);
  });

  it("catches every error of every task, and bounds each and itself in time", () => {
    const tasks = Object.values(backfill.States).filter(({ Type }) => Type === "Task");
    expect(tasks).toHaveLength(6);
    for (const state of tasks) {
      const { Catch, TimeoutSeconds } = task.parse(state);
      expect(Catch.at(-1)?.ErrorEquals).toEqual(["States.ALL"]);
      expect(TimeoutSeconds).toBeLessThan(backfill.TimeoutSeconds);
    }
    expect(backfill.TimeoutSeconds).toBe(daily.TimeoutSeconds);
  });

  it("plans again in the next round, and does not carry the round before with it", () => {
    expect(backfill.States["WaitForUpstream"]).toMatchObject({
      Type: "Wait",
      SecondsPath: "$.summary.digest.redrive.waitSeconds",
      Next: "Redrive",
    });
    expect(backfill.States["Redrive"]).toMatchObject({
      Parameters: { "request.$": "$.request", asked: { "run.$": "$.summary.digest.redrive.run" } },
      Next: "PlanBackfill",
    });
  });
});

const SPAN = { from: "2024-05-27", to: "2024-05-31" };
const FOUR: TinyMarket = {
  bars: {
    AAA: { "2024-05-28": {}, "2024-05-31": { close: 10.1 } },
    BBB: { "2024-05-31": {} },
    CCC: {},
    DDD: { "2024-05-27": {}, "2024-05-29": null },
  },
};

/** The whole workflow with the real definition and handlers, and a market answering in the process. */
function setUp(tiny: TinyMarket, delivery?: Delivery) {
  const clock = createDrivenClock(EVENING);
  const upstream = sandboxFetch(createTinyMarket(tiny), clock.now, delivery);
  const runtime = { ...createTestRuntime({ fetch: upstream.fetch }), clock };
  const notifications: string[] = [];
  const messages: unknown[] = [];
  const waits: number[] = [];
  let runs = 0;
  return {
    runtime,
    notifications,
    messages,
    waits,
    charts: () => upstream.paths.filter((path) => path.includes("/chart/")),
    run: (event: Partial<BackfillEvent> = {}, more: Partial<BackfillOptions> = {}) =>
      runBackfillWorkflow(
        { backfill: SPAN, ...event },
        {
          environment: {
            ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
            ASX_OLDER_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.olderDirectory}`,
            YAHOO_URL: "http://sandbox",
            BATCH_SIZE: "2",
            REQUESTS_PER_SECOND: "unlimited",
          },
          runtime,
          maxConcurrency: 10,
          onNotification: (subject, message) => notifications.push(`${subject}: ${message}`),
          onEvent: (told) => void ("state" in told && messages.push(told.state.input, told.state.output)),
          retryDelayMs: 0,
          run: `run-${++runs}`,
          longestRedriveWaitMs: Number.POSITIVE_INFINITY,
          onRedrive: (_, waitMs) => waits.push(waitMs),
          ...more,
        },
      ),
    record: () => {
      const key = backfillKey(SPAN);
      return parseBackfillRecord(key, runtime.store.objects.get(key) ?? new Uint8Array());
    },
  };
}

/** Answers the charts of some tickers with a status. */
function failing(status: number, tickers: ReadonlySet<string>): Delivery {
  return async (answer, { ticker = "" }) =>
    tickers.has(ticker) ? { status, contentType: "text/plain", body: "" } : answer;
}

function largest(messages: readonly unknown[]): number {
  return Math.max(...messages.map((message) => Buffer.byteLength(JSON.stringify(message ?? null))));
}

describe("a backfill on one machine", () => {
  it("goes from the directory to a complete record, with one request a symbol", async () => {
    const { run, record, charts, notifications, runtime } = setUp(FOUR);
    expect(await run()).toMatchObject({ digest: { status: "complete", rows: 4, totalSymbols: 4 }, error: undefined });
    expect(charts().sort()).toEqual(["AAA", "BBB", "CCC", "DDD"].map((code) => `/v8/finance/chart/${code}.AX`));
    expect(record()).toMatchObject({
      days: { "2024-05-27": 1, "2024-05-28": 1, "2024-05-31": 2 },
      counts: { fetched: 3, noTrade: 1 },
    });
    expect([...runtime.store.objects.keys()].filter((key) => key.startsWith("pending/"))).toEqual([]);
    expect(notifications).toEqual([]);
  });

  it("with nothing left to fetch asks for nothing, and ends with its record all the same", async () => {
    const { run, charts, record, runtime } = setUp(FOUR);
    await run();
    const first = record();
    runtime.store.objects.delete(backfillKey(SPAN)); // as if it had been killed just before its summary
    expect(await run()).toMatchObject({ digest: { status: "complete", rows: 4 }, error: undefined });
    expect(charts()).toHaveLength(4);
    expect(record()).toMatchObject({
      rows: first.rows,
      days: first.days,
      batches: first.batches,
      counts: first.counts,
    });
  });

  it("loses nothing but a lost batch, and plans it again in the next round", async () => {
    const { run, record, waits } = setUp(FOUR);
    let isLost = false;
    const end = await run(
      {},
      {
        invoke: async (name, call) => {
          if (name !== "batch-fetcher" || isLost) return call();
          isLost = true;
          throw Object.assign(new Error("out of memory"), { name: "Runtime.OutOfMemory" });
        },
      },
    );
    expect(end).toMatchObject({ digest: { status: "complete", rows: 4 }, error: undefined });
    expect(waits).toHaveLength(1);
    expect(record().batches.map(({ batchNumber }) => batchNumber)).toHaveLength(2);
  });

  it("gives time to what fails, then ends partial and notifies; run again it asks for that symbol only", async () => {
    const down = new Set(["BBB.AX"]);
    const { run, charts, notifications, waits } = setUp(FOUR, (answer, request) => failing(503, down)(answer, request));
    expect(await run()).toMatchObject({
      digest: { status: "partial", redrive: null },
      error: { name: "BackfillPartial" },
    });
    expect(waits).toEqual([120_000, 600_000]);
    expect(notifications).toEqual([expect.stringMatching(/^asx-eod: a backfill is partial: .*1 failed/)]);
    const before = charts().length;
    down.clear();
    expect(await run()).toMatchObject({ digest: { status: "complete", rows: 4 }, error: undefined });
    expect(charts().slice(before)).toEqual(["/v8/finance/chart/BBB.AX"]);
  });

  it("takes up the symbols that were named in every round", async () => {
    const down = new Set(["AAA.AX"]);
    const { run, charts, record } = setUp(FOUR, (answer, request) => failing(503, down)(answer, request));
    await run({ symbols: ["AAA", "DDD"] }, { onRedrive: () => down.clear() });
    expect(new Set(charts())).toEqual(new Set(["/v8/finance/chart/AAA.AX", "/v8/finance/chart/DDD.AX"]));
    expect(record()).toMatchObject({ status: "complete", symbols: { source: "event", total: 2 } });
  });

  it("leaves a span to the run that has it, and nothing is amiss", async () => {
    const { run, runtime, charts, notifications } = setUp(FOUR);
    const { store, clock } = runtime;
    await takeRunLock(store, spanName(SPAN), { run: "another" }, { clock, expiresAfterMs: 60_000 });
    expect(await run()).toEqual({
      digest: undefined,
      error: undefined,
      underWay: expect.stringContaining("is being run by the execution another"),
    });
    expect([notifications, charts()]).toEqual([[], []]);
  });

  it("without a plan notifies and fails", async () => {
    const { run, notifications } = setUp({ ...FOUR, directory: "<html>Request Rejected</html>" });
    expect(await run()).toMatchObject({ digest: undefined, error: { name: "NoPlan" } });
    expect(notifications).toEqual([expect.stringMatching(/^asx-eod: a backfill has no plan: .*DirectoryUnavailable/)]);
  });

  it("without a bar at all fails and notifies: none ends green and empty", async () => {
    const { run, notifications } = setUp({ bars: { AAA: {}, BBB: {} } });
    expect(await run()).toMatchObject({ digest: { status: "failed" }, error: { name: "BackfillFailed" } });
    expect(notifications).toEqual([expect.stringMatching(/^asx-eod: a backfill has failed: /)]);
  });

  it("that breaks off before its record notifies and fails", async () => {
    const { run, notifications } = setUp(FOUR);
    const end = await run(
      {},
      {
        invoke: async (name, call) => {
          if (name !== "run-summary") return call();
          throw Object.assign(new Error("the bucket refuses"), { name: "StoreRefusedError" });
        },
      },
    );
    expect(end).toMatchObject({ digest: undefined, error: { name: "NoSummary" } });
    expect(notifications).toEqual([
      expect.stringMatching(/^asx-eod: a backfill broke off: The backfill from 2024-05-27 to 2024-05-31 broke off/),
    ]);
  });

  it("keeps every message below 224 KiB with 5,000 named symbols, of which every batch fails at length in three rounds", async () => {
    const symbols = Array.from({ length: 5000 }, (_, index) => `C${String(index).padStart(4, "0")}`);
    const { run, messages } = setUp({ bars: {} });
    let batches = 0;
    let rounds = 0;
    const { error } = await run(
      { backfill: { from: "2014-01-02", to: SPAN.to }, symbols },
      {
        environment: { BATCH_SIZE: "100" },
        run: LONGEST_RUN,
        longestRedriveWaitMs: 0,
        invoke: async (name, call) => {
          if (name === "symbol-updater") return call();
          if (name === "run-summary") return longestDigest(++rounds);
          return longestResult(symbols, batches++);
        },
      },
    );
    expect([error?.name, rounds, batches]).toEqual(["BackfillPartial", 3, 3 * 148]);
    expect(largest(messages)).toBeGreaterThan(150 * 1024);
    expect(largest(messages)).toBeLessThan(224 * 1024);
  });
});

/** The longest name of an execution. */
const LONGEST_RUN = "arn:aws:states:ap-southeast-2:123456789012:execution:asx-eod-backfill:".padEnd(400, "x");

/** The result of a batch that has all that makes one long. */
function longestResult(symbols: readonly string[], batch: number): HistoryBatchResult {
  const batchNumber = batch % 148;
  const of = symbols.slice(batchNumber * 34, (batchNumber + 1) * 34);
  const reason = "x".repeat(80);
  return historyBatchResult.parse({
    batchNumber,
    rows: 0,
    sha256: "0".repeat(64),
    counts: { fetched: 100, noTrade: 100, notFound: 100, invalid: 100, failed: 100, deferred: 100 },
    unfinished: of.slice(0, HISTORY_UNFINISHED_NAMED).map((symbol) => ({ symbol, outcome: "deferred", reason })),
    deferred: of,
    upstream: { requests: 1000, retries: 1000, rateLimited: 1000, breakerOpenings: 1, waitedMs: 1_000_000 },
    stopped: { by: "breaker", reason: "x".repeat(120) },
    durationMs: 100_000,
  });
}

/** What the summary returns of such batches. */
function longestDigest(attempt: number): BackfillDigest {
  const run = { id: LONGEST_RUN, attempt: attempt + 1, upstream: NOTHING_ASKED };
  return {
    backfill: SPAN,
    status: "partial",
    storeUrl: "memory:",
    s3Key: backfillKey(SPAN),
    totalSymbols: 5000,
    rows: 0,
    counts: { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 5000 },
    redrive: attempt < 3 ? { run, waitSeconds: 120 } : null,
    message: "x".repeat(2_000),
  };
}
