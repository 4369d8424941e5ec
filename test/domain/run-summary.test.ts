import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OutcomeCounts } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { type RunSummary, runStatus, runSummaryEvent } from "../../domain/run-summary.ts";

const NOTHING: OutcomeCounts = { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 };

const SUMMARY: RunSummary = {
  version: 1,
  date: "2024-05-31",
  status: "partial",
  startedAt: "2024-05-31T09:30:00Z",
  finishedAt: "2024-05-31T09:41:07.123Z",
  symbols: {
    s3Key: "symbols/2024-05-31-symbols.csv",
    source: "asx-directory",
    changes: { comparedTo: null, added: [], removed: [] },
    warnings: ["market caps are missing"],
    total: 2,
  },
  counts: { ...NOTHING, fetched: 1, failed: 1 },
  rows: 1,
  batches: [
    {
      batchNumber: 0,
      key: "raw-data/2024-05-31-batch-0.parquet",
      rows: 1,
      bytes: 4_211,
      sha256: "0123456789abcdef".repeat(4),
      durationMs: 512,
    },
    { batchNumber: 1, key: null, rows: 0, bytes: 0, sha256: null, durationMs: null, error: "States.Timeout" },
  ],
  outcomes: [
    { symbol: "14D", outcome: "failed", reason: "HTTP 503 after 5 attempts" },
    { symbol: "BHP", outcome: "fetched" },
  ],
};

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function refusalOf(bytes: Uint8Array): StoredFileError {
  try {
    parseRunSummary("runs/2024-05-31.json", bytes);
  } catch (error) {
    if (error instanceof StoredFileError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("the status of a run", () => {
  it.each<[string, Partial<OutcomeCounts>, string]>([
    ["every symbol fetched", { fetched: 100 }, "complete"],
    ["everything final, whatever the outcome", { fetched: 1, noTrade: 90, notFound: 5, invalid: 4 }, "complete"],
    ["one symbol failed", { fetched: 99, failed: 1 }, "partial"],
    ["one symbol deferred", { fetched: 99, deferred: 1 }, "partial"],
    ["more failed than fetched", { fetched: 1, failed: 98, deferred: 1 }, "partial"],
    ["every symbol failed", { failed: 100 }, "failed"],
    ["every symbol deferred", { deferred: 100 }, "failed"],
    ["every symbol without a trade", { noTrade: 100 }, "failed"],
    ["every symbol unknown", { notFound: 100 }, "failed"],
    ["every bar invalid", { invalid: 100 }, "failed"],
    ["no symbol at all", {}, "failed"],
  ])("with %s is as the design has it", (_, counts, status) => {
    expect(runStatus({ ...NOTHING, ...counts })).toBe(status);
  });

  it("is never complete without a bar or with anything left to fetch", () => {
    const count = fc.nat(3);
    const counts = fc.record({
      fetched: count,
      noTrade: count,
      notFound: count,
      invalid: count,
      failed: count,
      deferred: count,
    });
    fc.assert(
      fc.property(counts, (some) => {
        expect(runStatus(some) === "complete").toBe(some.fetched > 0 && some.failed === 0 && some.deferred === 0);
        expect(runStatus(some) === "failed").toBe(some.fetched === 0);
      }),
    );
  });
});

describe("a stored run summary", () => {
  it("is read as it was written", () => {
    expect(parseRunSummary("runs/2024-05-31.json", bytesOf(SUMMARY))).toEqual(SUMMARY);
  });

  it.each<[string, unknown, string]>([
    ["a version nobody knows", { ...SUMMARY, version: 2 }, "version"],
    ["a status nobody knows", { ...SUMMARY, status: "green" }, "status"],
    ["a date that does not exist", { ...SUMMARY, date: "2024-02-30" }, "date"],
    ["an instant without a zone", { ...SUMMARY, startedAt: "2024-05-31T09:30:00" }, "startedAt"],
    ["an instant in another zone", { ...SUMMARY, finishedAt: "2024-05-31T19:41:07+10:00" }, "finishedAt"],
    ["rows below 0", { ...SUMMARY, rows: -1 }, "rows"],
    ["no outcomes", { ...SUMMARY, outcomes: undefined }, "outcomes"],
    ["a list", [], "run summary"],
  ])("is refused with %s, and the error names key, field and way out", (_, value, field) => {
    const { message } = refusalOf(bytesOf(value));
    expect(message).toContain("runs/2024-05-31.json");
    expect(message).toContain(`${field} is `);
    expect(message).toMatch(/restore it, or delete it and run the date again/);
  });

  it.each([
    ["nothing", new Uint8Array()],
    ["half a file", bytesOf(SUMMARY).slice(0, 200)],
    ["bytes that are no UTF-8", Uint8Array.of(0x22, 0xff, 0xfe, 0x22)],
    ["zeros", new Uint8Array(500)],
  ])("is refused where the file holds %s, with the cause kept", (_, bytes) => {
    const error = refusalOf(bytes);
    expect(error.message).toContain("runs/2024-05-31.json is damaged");
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe("what starts the run summary", () => {
  it("holds results and lost batches side by side", () => {
    const event = {
      date: "2024-05-31",
      tradingDay: true,
      startedAt: "2024-05-31T09:30:00.000Z",
      symbolBatches: [
        { symbols: ["BHP"], batchNumber: 0 },
        { symbols: ["CBA"], batchNumber: 1 },
      ],
      metadata: {
        totalSymbols: 2,
        numBatches: 2,
        batchSize: 1,
        isLatest: true,
        concurrentBatches: 2,
        s3Key: null,
        source: "event",
        changes: { comparedTo: null, added: [], removed: [] },
        warnings: [],
      },
      results: [
        {
          date: "2024-05-31",
          batchNumber: 0,
          s3Key: "raw-data/2024-05-31-batch-0.parquet",
          rows: 1,
          bytes: 4_211,
          sha256: "0123456789abcdef".repeat(4),
          counts: { ...NOTHING, fetched: 1 },
          unfinished: [],
          durationMs: 512,
        },
        { batchNumber: 1, error: { Error: "Sandbox.Timedout", Cause: "after 300 s" } },
      ],
    };
    expect(runSummaryEvent.parse(event)).toEqual(event);
  });

  it.each([
    ["2024-05-31T09:30:00.123Z", "2024-05-31T09:30:00.123Z"],
    ["2024-05-31T09:30:00.123456+00:00", "2024-05-31T09:30:00.123Z"],
    ["2024-05-31T19:30:00+10:00", "2024-05-31T09:30:00.000Z"],
  ])("takes the start of the execution as %s, in UTC", (given, startedAt) => {
    expect(runSummaryEvent.shape.startedAt.parse(given)).toBe(startedAt);
  });
});
