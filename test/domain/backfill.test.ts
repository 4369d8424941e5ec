import { describe, expect, it } from "vitest";
import {
  type BackfillRecord,
  backfillEvent,
  backfillStatus,
  historyBatchEvent,
  historyBatchResult,
  isOfBackfill,
} from "../../domain/backfill.ts";
import { NOTHING_ASKED } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { parseBackfillRecord } from "../../domain/parse-backfill-record.ts";

const NOTHING = { fetched: 0, noTrade: 0, notFound: 0, invalid: 0, failed: 0, deferred: 0 };
const KEY = "backfills/2024-05-27_2024-05-31.json";
const RECORD: BackfillRecord = {
  ...{ version: 1, from: "2024-05-27", to: "2024-05-31", status: "partial", source: "yahoo", rows: 2, leftOut: 1 },
  ...{ startedAt: "2024-05-31T09:30:00Z", finishedAt: "2024-05-31T09:40:00.123Z" },
  upstream: { ...NOTHING_ASKED, requests: 3 },
  symbols: { total: 2, s3Key: null, source: "event", warnings: ["one"] },
  counts: { ...NOTHING, fetched: 1, failed: 1 },
  days: { "2024-05-27": 1, "2024-05-28": 1 },
  batches: [
    {
      ...{ batchNumber: 4, rows: 2, bytes: 900, sha256: "f".repeat(64) },
      key: "history/2024-05-27_2024-05-31-batch-4.parquet",
    },
  ],
  outcomes: [
    { symbol: "BHP", outcome: "fetched", bars: 2, first: "2024-05-27", last: "2024-05-28", leftOut: 1, batchNumber: 4 },
    { symbol: "CBA", outcome: "failed", reason: "HTTP 503", bars: 0, first: null, last: null, leftOut: 0 },
  ],
};

function encoded(record: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

describe("a message of a backfill", () => {
  it("is told by its field, whatever is in it", () => {
    expect([{ backfill: 1 }, {}, null, "backfill", undefined].map(isOfBackfill)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it.each([
    ["backward", { backfill: { from: "2024-05-31", to: "2024-05-27" } }],
    ["of a day that does not exist", { backfill: { from: "2024-02-30", to: "2024-05-27" } }],
    ["of no symbols", { backfill: { from: "2024-05-27", to: "2024-05-31" }, symbols: [] }],
    ["of a symbol that is none", { backfill: { from: "2024-05-27", to: "2024-05-31" }, symbols: ["bhp"] }],
  ])("that is %s is refused", (_, event) => {
    expect(backfillEvent.safeParse(event).success).toBe(false);
    expect(historyBatchEvent.safeParse({ symbols: ["BHP"], ...event, batchNumber: 0 }).success).toBe(false);
  });

  it("from a batch may leave out what is empty", () => {
    const result = { batchNumber: 1, rows: 0, sha256: null, counts: NOTHING, unfinished: [], durationMs: 1 };
    expect(historyBatchResult.parse(result)).toEqual({
      ...result,
      deferred: [],
      upstream: NOTHING_ASKED,
      stopped: null,
    });
  });
});

describe("the status of a backfill", () => {
  it.each([
    [{ ...NOTHING, fetched: 3, noTrade: 1, notFound: 1, invalid: 1 }, 0, "complete"],
    [{ ...NOTHING, fetched: 3, failed: 1 }, 0, "partial"],
    [{ ...NOTHING, fetched: 3, deferred: 1 }, 0, "partial"],
    [{ ...NOTHING, notFound: 3 }, 0, "failed"],
    [{ ...NOTHING, failed: 3 }, 0, "failed"],
    [{ ...NOTHING, failed: 3 }, 5, "partial"],
    [NOTHING, 5, "complete"],
    [NOTHING, 0, "failed"],
  ])("of %j with %i finished before is %s", (counts, finished, status) => {
    expect(backfillStatus(counts, finished)).toBe(status);
  });
});

describe("a stored record of a backfill", () => {
  it("is read back as it was written", () => {
    expect(parseBackfillRecord(KEY, encoded(RECORD))).toEqual(RECORD);
    expect(parseBackfillRecord(KEY, encoded({ ...RECORD, source: null }))).toEqual({ ...RECORD, source: null });
  });

  it.each([
    ["of other dates", { from: "2024-05-28" }, "it is of 2024-05-28_2024-05-31"],
    [
      "of a file of another backfill",
      { batches: [{ ...RECORD.batches[0], key: "history/2024-05-27_2024-05-30-batch-4.parquet" }] },
      "no file of that backfill",
    ],
    [
      "of a file of another number",
      { batches: [{ ...RECORD.batches[0], batchNumber: 5 }] },
      "no file of that backfill",
    ],
    ["of bars outside its dates", { days: { "2024-06-03": 1 } }, "bars of 2024-06-03"],
    ["of another form", { version: 2 }, "version is 2"],
    ["of a symbol in a file that it does not name", { batches: [] }, "BHP stands in batch 4"],
  ])("%s is refused with its key", (_, values, message) => {
    const read = () => parseBackfillRecord(KEY, encoded({ ...RECORD, ...values }));
    expect(read).toThrow(StoredFileError);
    expect(read).toThrow(KEY);
    expect(read).toThrow(message);
  });
});
