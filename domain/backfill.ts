/** The messages of a backfill, which fetches the past of symbols, a span of dates in one request each. JSON, camelCase. */
import * as z from "zod";
import {
  batchLanes,
  batchResult,
  lostBatch,
  NOTHING_ASKED,
  type OutcomeCounts,
  outcomeCounts,
  SYMBOL_SOURCES,
  symbolBatch,
  symbolReport,
  upstreamCounters,
  workflowRun,
} from "./batch.ts";
import { dateSpan } from "./date-span.ts";
import { asxSymbol } from "./symbol.ts";
import { tradingDate } from "./trading-date.ts";

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** What starts a backfill. */
export const backfillEvent = z.object({
  /** The first and the last trading date wanted. */
  backfill: dateSpan,
  /** Only these symbols instead of the directory's. */
  symbols: z.array(asxSymbol).min(1).max(10_000).optional(),
  /** Take a directory even though it is much smaller than the stored one. */
  acceptDirectory: z.boolean().optional(),
  /** The execution that asks; the lock on the backfill is taken in its name. */
  run: workflowRun.optional(),
});
export type BackfillEvent = z.infer<typeof backfillEvent>;

/** What became of a symbol over a whole span. `fetched` has at least one bar; `invalid` none that holds. */
export const historyReport = symbolReport.extend({
  /** Valid bars. */
  bars: count,
  /** Dates of the first and the last of them; null where there is none. */
  first: tradingDate.nullable(),
  last: tradingDate.nullable(),
  /** Rows of the answer that broke an invariant, or lie on a day without a session, and were kept out. `reason` quotes some. */
  leftOut: count,
});
export type HistoryReport = z.infer<typeof historyReport>;

/** Most batches of a plan, so that the messages of all of them together stay far below what a workflow can carry. */
export const MOST_HISTORY_BATCHES = 150;

/** What a backfill is to fetch: an item of the Map a batch, of symbols without an outcome that stands. */
export const backfillPlan = z.object({
  backfill: dateSpan,
  symbolBatches: z.array(symbolBatch),
  /** Numbers of the batches' places in `symbolBatches` by the worker that fetches them. */
  lanes: batchLanes,
  /** The execution that asked. */
  run: workflowRun.optional(),
  metadata: z.object({
    /** Trading days of the span. */
    sessions: count,
    totalSymbols: count,
    /** Symbols that have an outcome that stands: they are not asked for. */
    finished: count,
    s3Key: z.string().nullable(),
    source: z.enum(SYMBOL_SOURCES),
    warnings: z.array(z.string()),
  }),
});
export type BackfillPlan = z.infer<typeof backfillPlan>;

/** What starts a fetcher of history. */
export const historyBatchEvent = z.object({
  backfill: dateSpan,
  symbols: z.array(asxSymbol).min(1).max(10_000),
  batchNumber: symbolBatch.shape.batchNumber,
  /** Workers that fetch at the same time, among which the request budget is shared out. Default: 1. */
  lanes: z.number().int().min(1).max(1_000).optional(),
  /** Which of them this is, from 0. Default: 0. */
  lane: count.optional(),
  run: workflowRun.optional(),
});
export type HistoryBatchEvent = z.infer<typeof historyBatchEvent>;

/** Most unfinished symbols that the result of a batch names with a reason: its message stays small. */
export const HISTORY_UNFINISHED_NAMED = 1;

/**
 * What a fetcher of history returns. A backfill has up to {@link MOST_HISTORY_BATCHES} of them in one message: what the
 * stored file says is not said again.
 */
export const historyBatchResult = batchResult
  .pick({ counts: true, unfinished: true, upstream: true, stopped: true, durationMs: true })
  .extend({
    batchNumber: symbolBatch.shape.batchNumber,
    /** Bars in the stored file. */
    rows: count,
    /** Of the stored file; null where no symbol has an outcome that stands: there is nothing to store. */
    sha256: sha256.nullable(),
    /** Symbols that were not tried. What else has no outcome in the file has failed. */
    deferred: z.array(asxSymbol).default([]),
  });
export type HistoryBatchResult = z.infer<typeof historyBatchResult>;

/** How a backfill stands. */
export const BACKFILL_STATUSES = {
  /** Every symbol has an outcome that stands. */
  complete: "complete",
  /** Some symbols failed or were deferred. */
  partial: "partial",
  /** No bar at all. */
  failed: "failed",
} as const;
export type BackfillStatus = (typeof BACKFILL_STATUSES)[keyof typeof BACKFILL_STATUSES];

/**
 * The status that a backfill's counts amount to.
 * @param finished symbols that were left out of the plan because an outcome stood, in whichever backfill's record.
 */
export function backfillStatus({ fetched, failed, deferred }: OutcomeCounts, finished: number): BackfillStatus {
  if (fetched === 0 && finished === 0) return BACKFILL_STATUSES.failed;
  return failed + deferred > 0 ? BACKFILL_STATUSES.partial : BACKFILL_STATUSES.complete;
}

/** A stored file of a backfill. It is written once and never changed. */
export const historyFileEntry = z.object({
  batchNumber: symbolBatch.shape.batchNumber,
  key: z.string(),
  rows: count,
  bytes: count,
  sha256,
});
export type HistoryFileEntry = z.infer<typeof historyFileEntry>;

/** What became of a symbol, as the record of a backfill has it. */
export const recordedReport = historyReport.extend({
  /** The batch whose file has the symbol; absent where the symbol is unfinished. */
  batchNumber: symbolBatch.shape.batchNumber.optional(),
  /** When answers without a bar were first not believed; absent where none is doubted. Such a symbol is unfinished. */
  doubtedSince: z.iso.datetime().optional(),
  /** An unfinished symbol that was only ever asked for by name: it says nothing of the market. Absent for others. */
  byName: z.literal(true).optional(),
});
export type RecordedReport = z.infer<typeof recordedReport>;

/**
 * `backfills/FROM_TO.json`: the state of a backfill after its last round, and its manifest: a reader reads the files that it
 * names and no others. No symbol stands in two of them. Instants are ISO 8601 in UTC.
 */
export const backfillRecord = z.object({
  version: z.literal(1),
  from: tradingDate,
  to: tradingDate,
  /** Of the market where it was ever asked for: what was asked for by name alone does not count then. */
  status: z.enum(BACKFILL_STATUSES),
  startedAt: z.iso.datetime(),
  /** When a round last added a file; where none ever did, when the last one ended. */
  finishedAt: z.iso.datetime(),
  /** Whether a round of the last run got bars; absent where none did. */
  foundBars: z.literal(true).optional(),
  /** Name of the price source; null where no file is stored. */
  source: z.string().nullable(),
  /** What the last run asked of the upstream, all rounds together. */
  upstream: upstreamCounters.default(NOTHING_ASKED),
  symbols: z.object({
    total: count,
    s3Key: z.string().nullable(),
    /** `event` where only symbols named by hand were ever asked for: it says nothing of the market then. */
    source: z.enum(SYMBOL_SOURCES),
    warnings: z.array(z.string()),
  }),
  counts: outcomeCounts,
  /** Bars in the files. */
  rows: count,
  /** Rows of answers that were kept out. */
  leftOut: count,
  /** Bars in the files by date; every date that has one. */
  days: z.record(tradingDate, count),
  batches: z.array(historyFileEntry),
  /** One entry a symbol, in order of symbol. */
  outcomes: z.array(recordedReport),
});
export type BackfillRecord = z.infer<typeof backfillRecord>;

/** Whether a message is one of a backfill rather than of a date. */
export function isOfBackfill(message: unknown): boolean {
  return typeof message === "object" && message !== null && "backfill" in message;
}

/** What starts the summary of a backfill: the plan and what the Map gave. */
export const backfillSummaryEvent = z.object({
  backfill: dateSpan,
  /** When the execution started. AWS gives it in UTC with a Z; emulators are seen to give an offset. */
  startedAt: z.iso.datetime({ offset: true }).transform((instant) => new Date(instant).toISOString()),
  run: workflowRun.optional(),
  symbolBatches: z.array(symbolBatch),
  metadata: backfillPlan.shape.metadata,
  /** What the batches of this round gave, lane by lane. */
  results: z.array(z.array(z.union([historyBatchResult, lostBatch]))),
});
export type BackfillSummaryEvent = z.infer<typeof backfillSummaryEvent>;

/** What the summary of a backfill returns to the workflow: enough to decide and to notify. */
export const backfillDigest = z.object({
  backfill: dateSpan,
  status: z.enum(BACKFILL_STATUSES),
  /** Address of the store that holds the record: `s3://BUCKET[/FOLDER]` or `file:FOLDER`. */
  storeUrl: z.string(),
  s3Key: z.string(),
  totalSymbols: count,
  rows: count,
  counts: outcomeCounts,
  /** The next round, in which the plan is made again; null where nothing is unfinished, or nothing is to be hoped for. */
  redrive: z.object({ run: workflowRun, waitSeconds: count }).nullable().default(null),
  /** One line for a notification. */
  message: z.string(),
});
export type BackfillDigest = z.infer<typeof backfillDigest>;
