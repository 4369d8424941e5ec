import { beforeEach, describe, expect, it } from "vitest";
import type { ExecutionStep } from "../../cli/execution-history.ts";
import { showExecution } from "../../cli/execution-progress.ts";
import type { ProgressLine } from "../../cli/progress-line.ts";
import { countOutcomes, NOTHING_ASKED } from "../../domain/batch.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createTestRuntime, EVENING } from "../support/test-runtime.ts";

const DAY = "2024-05-31";
const STARTED = Date.parse(EVENING);

const symbols: ExecutionStep = {
  kind: "symbols",
  update: {
    date: DAY,
    tradingDay: true,
    sessions: [DAY],
    lanes: [[0], [1]],
    catchUp: false,
    symbols: ["AAA", "BBB", "CCC"],
    symbolBatches: [
      { symbols: ["AAA", "BBB"], batchNumber: 0 },
      { symbols: ["CCC"], batchNumber: 1 },
    ],
    metadata: {
      totalSymbols: 3,
      numBatches: 2,
      batchSize: 2,
      isLatest: true,
      s3Key: null,
      source: "asx-directory",
      changes: { comparedTo: null, added: [], removed: [] },
      warnings: ["the older address answered"],
    },
  },
};
const batch: ExecutionStep = {
  kind: "batch",
  result: {
    date: DAY,
    batchNumber: 0,
    s3Key: `raw-data/${DAY}-batch-0.parquet`,
    rows: 1,
    bytes: 1,
    sha256: "0".repeat(64),
    counts: { ...countOutcomes([]), fetched: 1, noTrade: 1 },
    unfinished: [],
    revised: 0,
    earlier: [],
    unread: 0,
    upstream: NOTHING_ASKED,
    stopped: null,
    durationMs: 1,
  },
};
const lost: ExecutionStep = {
  kind: "batchLost",
  batch: { batchNumber: 1, error: { Error: "States.Timeout", Cause: "" } },
};
const failure: ExecutionStep = { kind: "failure", state: "FetchBatch", reason: "States.Timeout" };

describe("the live line of an execution", () => {
  let shown: string[];
  let isActive: boolean;
  let line: ProgressLine;

  beforeEach(() => {
    shown = [];
    isActive = false;
    line = {
      start(totals, startedAt) {
        isActive = true;
        shown.push(`start ${totals.symbols} symbols ${totals.batches} batches ${startedAt - STARTED}`);
      },
      get isActive() {
        return isActive;
      },
      addOutcomes(outcome, more) {
        if (more > 0) shown.push(`${outcome} ${more}`);
      },
      addBatch: () => void shown.push("batch"),
      stop: () => void shown.push("stop"),
    };
  });

  it("counts symbols and batches from when the symbols were known by the clock of this machine, those of a lost batch as failed", () => {
    const progress = showExecution(line, createTestRuntime().logger, createTestClock(EVENING));
    progress(symbols, 4000);
    progress(batch, 1000);
    progress(lost, 0);
    expect(shown).toEqual(["start 3 symbols 2 batches -4000", "fetched 1", "noTrade 1", "batch", "failed 1", "batch"]);
  });

  it("leaves everything else to the log", () => {
    const { logger, logs } = createTestRuntime();
    const progress = showExecution(line, logger, createTestClock(EVENING));
    for (const step of [failure, symbols]) progress(step, 0);
    expect(logs).toEqual([
      "warn FetchBatch failed: States.Timeout",
      `info ${DAY}: 3 symbols in 2 batches`,
      "warn the older address answered",
    ]);
  });
});
