/** How large the messages of a run become that fills as many days as one can. */
import { expect, it } from "vitest";
import { runDailyWorkflow } from "../../cli/daily-workflow.ts";
import { type BatchResult, countOutcomes, dealIntoLanes, NOTHING_ASKED, splitIntoBatches } from "../../domain/batch.ts";
import type { RunDigest } from "../../domain/run-summary.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { datesToFill } from "../../lambdas/symbol-updater/find-gaps.ts";
import { createTestRuntime } from "../support/test-runtime.ts";

const DATE = "2023-12-22";
/** Without a holiday between. */
const SESSIONS = datesToFill(DATE, 90, createTradingCalendar());
const SYMBOLS = Array.from({ length: 5000 }, (_, index) => `C${String(index).padStart(4, "0")}`);
const BATCHES = splitIntoBatches(SYMBOLS, 50);
const NUMBERS = BATCHES.map(({ batchNumber }) => batchNumber);

/** The result of a batch that has all that makes one long. */
function fullResult(batchNumber: number): BatchResult {
  const reason = "x".repeat(80);
  return {
    date: DATE,
    batchNumber,
    s3Key: `raw-data/${DATE}-batch-${batchNumber}.parquet`,
    rows: 50,
    bytes: 12_345,
    sha256: "0".repeat(64),
    counts: { ...countOutcomes([]), failed: 50 },
    unfinished: SYMBOLS.slice(0, 3).map((symbol) => ({ symbol, outcome: "failed", reason })),
    revised: 50,
    earlier: [],
    filled: { sessions: SESSIONS.length - 1, added: 3_200, revised: 3_200 },
    unread: 50,
    upstream: { requests: 1_000, retries: 1_000, rateLimited: 1_000, breakerOpenings: 10, waitedMs: 1_234_567.89 },
    stopped: { by: "unknown-symbols", reason: "x".repeat(120) },
    durationMs: 600_000,
  };
}

function fullDigest(attempt: number): RunDigest {
  const run = { id: "x".repeat(400), attempt: attempt + 1, upstream: NOTHING_ASKED, unread: NUMBERS };
  return {
    date: DATE,
    status: "partial",
    storeUrl: "memory:",
    s3Key: `runs/${DATE}.json`,
    totalSymbols: SYMBOLS.length,
    rows: 500,
    counts: { ...countOutcomes([]), failed: SYMBOLS.length },
    earlier: SESSIONS.slice(0, -1).map((date) => ({ date, status: "partial" })),
    redrive: attempt < 3 ? { run, waitSeconds: 120, lanes: dealIntoLanes(NUMBERS, 10) } : null,
    message: "x".repeat(4_000),
  };
}

it("stay below 200 KiB at 5,000 symbols in 100 batches over 90 days, each failing in every session", async () => {
  expect(SESSIONS.length).toBeGreaterThanOrEqual(63);
  const messages: unknown[] = [];
  let fetched = 0;
  let rounds = 0;
  const { error } = await runDailyWorkflow(
    { date: DATE, symbols: SYMBOLS, catchUp: true, fillDays: 90 },
    {
      environment: { BATCH_SIZE: "50" },
      runtime: createTestRuntime(),
      maxConcurrency: 10,
      onNotification: () => undefined,
      onEvent: (event) => void ("state" in event && messages.push(event.state.input, event.state.output)),
      retryDelayMs: 0,
      run: "arn:aws:states:ap-southeast-2:123456789012:execution:asx-eod-daily:".padEnd(400, "x"),
      longestRedriveWaitMs: 0,
      invoke: async (name, call) => {
        if (name === "symbol-updater") return call();
        if (name === "run-summary") return fullDigest(++rounds);
        return fullResult(fetched++ % BATCHES.length);
      },
    },
  );
  expect(error?.name).toBe("RunPartial");
  expect([fetched, rounds]).toEqual([300, 3]);
  const sizes = messages.map((message) => Buffer.byteLength(JSON.stringify(message ?? null)));
  expect(Math.max(...sizes)).toBeGreaterThan(100 * 1024);
  expect(Math.max(...sizes)).toBeLessThan(200 * 1024);
});
