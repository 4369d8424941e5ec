import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOTHING_ASKED, type OutcomeCounts } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import { type DayFinding, type RunSummary, runDigest, runStatus, runSummaryEvent } from "../../domain/run-summary.ts";

const NOTHING: OutcomeCounts = { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 };

const SUMMARY: RunSummary = {
  version: 1,
  date: "2024-05-31",
  status: "partial",
  startedAt: "2024-05-31T09:30:00Z",
  finishedAt: "2024-05-31T09:41:07.123Z",
  attempts: 2,
  upstream: { requests: 7, retries: 5, rateLimited: 0, breakerOpenings: 0, waitedMs: 31_000 },
  symbols: {
    s3Key: "symbols/2024-05-31-symbols.csv",
    source: "asx-directory",
    changes: { comparedTo: null, added: [], removed: [] },
    warnings: ["market caps are missing"],
    total: 2,
  },
  counts: { ...NOTHING, fetched: 1, failed: 1 },
  rows: 1,
  revised: 1,
  unread: 0,
  quality: {
    traded: 1,
    usual: null,
    findings: [{ gate: "coverage", stops: false, detail: "1 symbol traded, less than 85 % of 2." }],
    suspects: [{ symbol: "BHP", kind: "price-jump", detail: "close 1000 is 100 times the close before it" }],
  },
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

function finding(stops: boolean): DayFinding {
  return { gate: "coverage", stops, detail: "half of the market is missing" };
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
    expect(runStatus({ ...NOTHING, ...counts }, [])).toBe(status);
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
        const status = runStatus(some, []);
        expect(status === "complete").toBe(some.fetched > 0 && some.failed === 0 && some.deferred === 0);
        expect(status === "failed").toBe(some.fetched === 0);
      }),
    );
  });

  it("is failed where a finding stops the day, whatever the outcomes say, and a warning changes nothing", () => {
    const whole = { ...NOTHING, fetched: 100 };
    const part = { ...whole, failed: 1 };
    expect(runStatus(whole, [finding(false), finding(true)])).toBe("failed");
    expect(runStatus(part, [finding(true)])).toBe("failed");
    expect(runStatus(whole, [finding(false)])).toBe("complete");
    expect(runStatus(part, [finding(false)])).toBe("partial");
  });
});

describe("a stored run summary", () => {
  it("is read as it was written", () => {
    expect(parseRunSummary("runs/2024-05-31.json", bytesOf(SUMMARY))).toEqual(SUMMARY);
  });

  it("from before rounds, requests, revisions and quality were kept is read: nothing is claimed of them", () => {
    const { attempts, upstream, revised, quality, ...older } = SUMMARY;
    expect(parseRunSummary("runs/2024-05-31.json", bytesOf(older))).toEqual({
      ...older,
      ...{ attempts: 1, upstream: NOTHING_ASKED, revised: 0, unread: 0 },
    });
  });

  it.each<[string, unknown, string]>([
    ["a version nobody knows", { ...SUMMARY, version: 2 }, "version"],
    ["a status nobody knows", { ...SUMMARY, status: "green" }, "status"],
    ["a date that does not exist", { ...SUMMARY, date: "2024-02-30" }, "date"],
    ["an instant without a zone", { ...SUMMARY, startedAt: "2024-05-31T09:30:00" }, "startedAt"],
    ["an instant in another zone", { ...SUMMARY, finishedAt: "2024-05-31T19:41:07+10:00" }, "finishedAt"],
    ["rows below 0", { ...SUMMARY, rows: -1 }, "rows"],
    ["no round", { ...SUMMARY, attempts: 0 }, "attempts"],
    ["half a revision", { ...SUMMARY, revised: 0.5 }, "revised"],
    ["a quality without its findings", { ...SUMMARY, quality: { traded: 1, suspects: [] } }, "quality.findings"],
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
  it("holds results and lost batches side by side, lane by lane", () => {
    const event = {
      date: "2024-05-31",
      tradingDay: true,
      startedAt: "2024-05-31T09:30:00.000Z",
      sessions: ["2024-05-30", "2024-05-31"],
      catchUp: true,
      run: { id: "one", attempt: 1, upstream: NOTHING_ASKED },
      symbolBatches: [
        { symbols: ["BHP"], batchNumber: 0 },
        { symbols: ["CBA"], batchNumber: 1 },
      ],
      metadata: {
        totalSymbols: 2,
        numBatches: 2,
        batchSize: 1,
        isLatest: true,
        s3Key: null,
        source: "event",
        changes: { comparedTo: null, added: [], removed: [] },
        warnings: [],
      },
      results: [
        [
          {
            date: "2024-05-31",
            batchNumber: 0,
            s3Key: "raw-data/2024-05-31-batch-0.parquet",
            rows: 1,
            bytes: 4_211,
            sha256: "0123456789abcdef".repeat(4),
            counts: { ...NOTHING, fetched: 1 },
            unfinished: [],
            revised: 0,
            earlier: [],
            unread: 0,
            upstream: NOTHING_ASKED,
            stopped: null,
            durationMs: 512,
          },
        ],
        [{ batchNumber: 1, error: { Error: "Sandbox.Timedout", Cause: "after 300 s" } }],
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

describe("what the run summary returns", () => {
  it("may be from before there were earlier sessions and further rounds", () => {
    const older = {
      date: "2024-05-31",
      status: "complete",
      storeUrl: "s3://bucket",
      s3Key: "runs/2024-05-31.json",
      totalSymbols: 1,
      rows: 1,
      counts: { ...NOTHING, fetched: 1 },
      message: "ASX 2024-05-31: complete.",
    };
    expect(runDigest.parse(older)).toEqual({ ...older, earlier: [], redrive: null });
  });
});
